//! Table test of the upload's state machine: for every state, the next state after each
//! possible result of its command. The same table is compared with the state diagram in
//! `docs/ARCHITECTURE.md`.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::BTreeSet;
use std::mem::discriminant;
use std::time::Duration;

use docferry_domain::document::{HashState, QuickXorHash};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::{
    Checkpoint, Command, ConflictPolicy, DriveEvent as Event, ExpectedRange, InvocationOutcome,
    Occupancy, Persist, UploadMachine, UploadRules,
};

const SMALL: u64 = 1_000;
const FRAGMENT: u64 = 16 * 327_680;
const LARGE: u64 = 2 * FRAGMENT;
const RULES: UploadRules =
    UploadRules { largest_fragment: FRAGMENT, policy: ConflictPolicy::Replace };

/// A state, and the next state after each result that is possible in it.
struct Row {
    /// Name of the state, which is the name of its command.
    state: &'static str,
    /// A machine that is in this state.
    machine: UploadMachine,
    /// Possible results of the command, each with the next state and whether a checkpoint must
    /// be stored before the next command.
    results: Vec<(Event, &'static str, Persist)>,
}

impl Row {
    fn events(&self) -> impl Iterator<Item = Event> {
        self.results.iter().map(|(event, ..)| *event)
    }
}

fn hash(len: u64) -> HashState {
    HashState { len, ..QuickXorHash::new().state() }
}

/// Reports these results to a machine, one after another, and returns the machine.
fn after(mut machine: UploadMachine, results: &[Event]) -> UploadMachine {
    for result in results {
        let _ = machine.handle(machine.next_command(None), *result);
    }
    machine
}

/// Returns the machine of a new upload without a checkpoint.
fn new(size: u64) -> UploadMachine {
    UploadMachine::begin(size, RULES, None, false)
}

fn checkpoint_of(machine: &UploadMachine) -> Checkpoint {
    machine.checkpoint(hash(machine.hashed_to()))
}

/// Returns the result that a fragment was accepted and the drive expects bytes from `next`.
fn accepted(next: Option<u64>) -> Event {
    Event::Accepted { next: next.map(ExpectedRange::open), took: Duration::from_secs(1) }
}

/// Returns the result that the session expects all bytes from `start`.
fn expects(start: u64) -> Event {
    Event::Expects(Some(ExpectedRange::open(start)))
}

/// Reports that the rest of a large source has been hashed, and returns the machine.
fn hashed(machine: UploadMachine) -> UploadMachine {
    after(machine, &[Event::Hashed(LARGE)])
}

/// Returns the row of a machine that compares a file which a lookup found. If the file is not
/// the document, the next state is `after_other_file`.
fn verify_looked_up(
    machine: UploadMachine,
    after_other_file: &'static str,
    persist: Persist,
) -> Row {
    let results = vec![
        (Event::Verified, "End", Persist::NotNeeded),
        (Event::OtherFile, after_other_file, persist),
        (Event::Unproven, "End", Persist::NotNeeded),
        (Event::HashPending, "Verify", Persist::NotNeeded),
        (Event::NotSeen, "Verify", Persist::NotNeeded),
    ];
    Row { state: "Verify", machine, results }
}

/// Returns the rows for all states. A state has several rows when the reason for which the
/// machine entered it decides the next state.
fn table() -> Vec<Row> {
    use Persist::{Before, NotNeeded};
    let row = |state, machine, results: &[_]| Row { state, machine, results: results.to_vec() };
    let put = after(new(SMALL), &[Event::Loaded]);
    let sending = after(new(LARGE), &[Event::Opened]);
    let last_fragment = after(sending.clone(), &[accepted(Some(FRAGMENT))]);
    let query = UploadMachine::begin(LARGE, RULES, None, true);
    let put_unanswered = UploadMachine::begin(SMALL, RULES, Some(&checkpoint_of(&put)), false);
    let session_gone = after(query.clone(), &[Event::Gone]);
    let conflict = after(new(LARGE), &[Event::Conflict]);
    let put_conflict = after(put.clone(), &[Event::Conflict]);
    let unhashed = after(query.clone(), &[expects(FRAGMENT)]);
    let completed_by_last_byte = after(last_fragment.clone(), &[Event::Complete]);
    let completed_early = after(sending.clone(), &[Event::Complete, Event::Hashed(LARGE)]);
    let looked_up = after(put_unanswered.clone(), &[Event::Found(Occupancy::SameSize)]);
    let source_changed = after(sending.clone(), &[Event::SourceChanged]);
    let replacing = after(sending.clone(), &[Event::Lost, expects(0), Event::Conflict]);
    let replacing = after(replacing, &[Event::Found(Occupancy::Nothing)]);
    let interrupted = after(last_fragment.clone(), &[Event::Lost]);
    let second_setback = after(interrupted, &[expects(0), Event::Mismatch, expects(FRAGMENT)]);
    let second_setback = after(second_setback, &[Event::Mismatch]);
    let same_size = Event::Found(Occupancy::SameSize);
    let with_file_found =
        |machine: &UploadMachine, event: Event| after(machine.clone(), &[event, same_size]);
    let three_statuses = [Event::Expects(None), Event::Found(Occupancy::Nothing)].repeat(3);
    let no_range = after(after(query.clone(), &three_statuses), &[Event::Expects(None)]);
    vec![
        row(
            "QuerySession",
            query.clone(),
            &[
                (expects(0), "SendFragment", NotNeeded),
                (expects(FRAGMENT), "HashSource", Before),
                (Event::Expects(None), "LookUp", NotNeeded),
                (Event::Gone, "LookUp", NotNeeded),
            ],
        ),
        row(
            "LookUp",
            after(query.clone(), &[Event::Expects(None)]),
            &[
                (Event::Found(Occupancy::Nothing), "QuerySession", NotNeeded),
                (Event::Found(Occupancy::SameSize), "HashSource", NotNeeded),
                (Event::Conflict, "QuerySession", NotNeeded),
            ],
        ),
        row("QuerySession", second_setback, &[(expects(0), "CloseSession", Before)]),
        row("LookUp", no_range, &[(Event::Found(Occupancy::Nothing), "CloseSession", NotNeeded)]),
        row(
            "LookUp",
            after(sending.clone(), &[Event::Conflict]),
            &[
                (Event::Found(Occupancy::Nothing), "CloseSession", Before),
                (Event::Conflict, "End", NotNeeded),
            ],
        ),
        row(
            "LookUp",
            session_gone,
            &[
                (Event::Found(Occupancy::Nothing), "OpenSession", NotNeeded),
                (Event::Conflict, "OpenSession", NotNeeded),
            ],
        ),
        row(
            "LookUp",
            put_unanswered,
            &[
                (Event::Found(Occupancy::Nothing), "LoadDocument", NotNeeded),
                (Event::Found(Occupancy::SameSize), "Verify", NotNeeded),
                (Event::Conflict, "LoadDocument", NotNeeded),
            ],
        ),
        row(
            "LookUp",
            conflict,
            &[
                (Event::Found(Occupancy::Nothing), "End", Before),
                (Event::Found(Occupancy::Folder), "End", NotNeeded),
                (Event::Found(Occupancy::FileInPath), "End", NotNeeded),
                (Event::Conflict, "End", NotNeeded),
            ],
        ),
        row(
            "LookUp",
            put_conflict,
            &[
                (Event::Found(Occupancy::Nothing), "PutDocument", Before),
                (Event::Conflict, "End", NotNeeded),
            ],
        ),
        row("HashSource", unhashed, &[(Event::Hashed(FRAGMENT), "SendFragment", Before)]),
        row(
            "HashSource",
            after(sending.clone(), &[Event::Complete]),
            &[(Event::Hashed(LARGE), "Verify", Before)],
        ),
        row("LoadDocument", new(SMALL), &[(Event::Loaded, "PutDocument", Before)]),
        row(
            "PutDocument",
            put.clone(),
            &[(Event::Complete, "Verify", NotNeeded), (Event::Conflict, "LookUp", NotNeeded)],
        ),
        row(
            "OpenSession",
            new(LARGE),
            &[(Event::Opened, "SendFragment", Before), (Event::Conflict, "LookUp", NotNeeded)],
        ),
        row(
            "CloseSession",
            source_changed.clone(),
            &[
                (Event::Closed { was_open: true }, "RenewSource", NotNeeded),
                (Event::Closed { was_open: false }, "RenewSource", NotNeeded),
                (Event::Gone, "RenewSource", NotNeeded),
            ],
        ),
        row(
            "CloseSession",
            replacing,
            &[
                (Event::Closed { was_open: true }, "OpenSession", NotNeeded),
                (Event::Closed { was_open: false }, "LookUp", NotNeeded),
                (Event::Gone, "LookUp", NotNeeded),
            ],
        ),
        row(
            "SendFragment",
            sending.clone(),
            &[
                (accepted(Some(FRAGMENT)), "SendFragment", Before),
                (accepted(Some(5)), "QuerySession", NotNeeded),
                (accepted(None), "QuerySession", NotNeeded),
                (Event::Complete, "HashSource", NotNeeded),
                (Event::Mismatch, "QuerySession", NotNeeded),
                (Event::Gone, "LookUp", NotNeeded),
                (Event::Conflict, "LookUp", NotNeeded),
            ],
        ),
        row(
            "SendFragment",
            last_fragment,
            &[
                (accepted(Some(LARGE)), "QuerySession", NotNeeded),
                (Event::Complete, "Verify", NotNeeded),
                (Event::Mismatch, "QuerySession", NotNeeded),
                (Event::Gone, "LookUp", NotNeeded),
                (Event::Conflict, "LookUp", NotNeeded),
            ],
        ),
        row(
            "Verify",
            completed_by_last_byte,
            &[
                (Event::Verified, "End", NotNeeded),
                (Event::OtherFile, "End", NotNeeded),
                (Event::Unproven, "End", NotNeeded),
                (Event::HashPending, "Verify", Before),
                (Event::NotSeen, "Verify", Before),
            ],
        ),
        row(
            "Verify",
            completed_early,
            &[
                (Event::Verified, "End", NotNeeded),
                (Event::OtherFile, "End", NotNeeded),
                (Event::Unproven, "End", NotNeeded),
                (Event::HashPending, "Verify", NotNeeded),
                (Event::NotSeen, "Verify", NotNeeded),
            ],
        ),
        verify_looked_up(looked_up, "LoadDocument", NotNeeded),
        verify_looked_up(hashed(with_file_found(&sending, Event::Gone)), "OpenSession", NotNeeded),
        verify_looked_up(
            hashed(with_file_found(&query, Event::Expects(None))),
            "QuerySession",
            NotNeeded,
        ),
        verify_looked_up(
            hashed(with_file_found(&sending, Event::Conflict)),
            "CloseSession",
            Before,
        ),
        verify_looked_up(
            after(
                put.clone(),
                &[
                    Event::Lost,
                    Event::Found(Occupancy::Nothing),
                    Event::Loaded,
                    Event::Conflict,
                    same_size,
                ],
            ),
            "PutDocument",
            Before,
        ),
        row(
            "RenewSource",
            after(source_changed, &[Event::Closed { was_open: true }]),
            &[(Event::Renewed, "LookUp", NotNeeded)],
        ),
        row(
            "RenewSource",
            after(new(LARGE), &[Event::SourceChanged]),
            &[(Event::Renewed, "OpenSession", NotNeeded)],
        ),
        row(
            "RenewSource",
            after(new(SMALL), &[Event::SourceChanged]),
            &[(Event::Renewed, "LoadDocument", NotNeeded)],
        ),
    ]
}

/// One event of each variant.
const EVENTS: [Event; 25] = [
    Event::Expects(None),
    Event::Accepted { next: None, took: Duration::ZERO },
    Event::Complete,
    Event::Mismatch,
    Event::Gone,
    Event::Lost,
    Event::NoEffect(FailureCode::DestinationLocked),
    Event::TimedOut,
    Event::OutOfTime,
    Event::Opened,
    Event::Closed { was_open: true },
    Event::Found(Occupancy::Nothing),
    Event::Hashed(1),
    Event::Loaded,
    Event::Verified,
    Event::OtherFile,
    Event::HashPending,
    Event::NotSeen,
    Event::Unproven,
    Event::Renewed,
    Event::SourceUnreadable,
    Event::SourceChanged,
    Event::Throttled(None),
    Event::Conflict,
    Event::Refused(FailureCode::QuotaExceeded),
];

/// Returns whether this result is possible for every command. The match is exhaustive, so a
/// new variant must be added here. It must also be added to `EVENTS`.
fn is_result_of_any_command(event: Event) -> bool {
    match event {
        Event::Throttled(_)
        | Event::Refused(_)
        | Event::SourceChanged
        | Event::OutOfTime
        | Event::Lost
        | Event::TimedOut
        | Event::SourceUnreadable
        | Event::NoEffect(_) => true,
        Event::Expects(_)
        | Event::Accepted { .. }
        | Event::Complete
        | Event::Mismatch
        | Event::Gone
        | Event::Opened
        | Event::Closed { .. }
        | Event::Found(_)
        | Event::Hashed(_)
        | Event::Loaded
        | Event::Verified
        | Event::OtherFile
        | Event::HashPending
        | Event::NotSeen
        | Event::Unproven
        | Event::Renewed
        | Event::Conflict => false,
    }
}

/// Returns the name of the state in which the machine returns this command.
fn state_name(command: Command) -> &'static str {
    match command {
        Command::QuerySession => "QuerySession",
        Command::LookUp(_) => "LookUp",
        Command::HashSource { .. } => "HashSource",
        Command::LoadDocument => "LoadDocument",
        Command::PutDocument { .. } => "PutDocument",
        Command::OpenSession => "OpenSession",
        Command::CloseSession => "CloseSession",
        Command::SendFragment(_) => "SendFragment",
        Command::Verify { .. } => "Verify",
        Command::RenewSource => "RenewSource",
        Command::End(_) => "End",
    }
}

/// Reports one result in this state and returns the next command.
fn next(row: &Row, event: Event) -> (Command, Persist) {
    let mut machine = row.machine.clone();
    let persist = machine.handle(machine.next_command(None), event);
    (machine.next_command(None), persist)
}

#[test]
fn each_result_of_a_command_leads_to_the_listed_state() {
    for row in table() {
        assert_eq!(state_name(row.machine.next_command(None)), row.state);
        for (event, expected, persist) in &row.results {
            let (command, actual_persist) = next(&row, *event);
            let actual = (state_name(command), actual_persist);
            assert_eq!(actual, (*expected, *persist), "{} {event:?}", row.state);
        }
    }
}

#[test]
fn failures_that_any_command_can_have_are_handled_in_every_state() {
    for row in table() {
        let outcome_after = |event| match next(&row, event).0 {
            Command::End(outcome) => Some(outcome),
            _ => None,
        };
        let failed = |code| Some(InvocationOutcome::Failed(code));
        let state = row.state;
        assert_eq!(
            outcome_after(Event::Throttled(None)),
            Some(InvocationOutcome::Wait(None)),
            "{state}"
        );
        assert_eq!(outcome_after(Event::OutOfTime), Some(InvocationOutcome::HandOver), "{state}");
        let refused = outcome_after(Event::Refused(FailureCode::QuotaExceeded));
        assert_eq!(refused, failed(FailureCode::QuotaExceeded), "{state}");
        let after_change = state_name(next(&row, Event::SourceChanged).0);
        assert!(["CloseSession", "RenewSource"].contains(&after_change), "{state}: {after_change}");
        let no_effect = Event::NoEffect(FailureCode::DestinationLocked);
        for event in [Event::Lost, Event::TimedOut, Event::SourceUnreadable, no_effect] {
            let expected = match (state, event) {
                ("SendFragment", _) => "QuerySession",
                ("PutDocument", Event::NoEffect(_)) => "PutDocument",
                ("PutDocument", _) => "LookUp",
                _ => state,
            };
            assert_eq!(state_name(next(&row, event).0), expected, "{state} {event:?}");
        }
    }
}

#[test]
fn result_of_another_command_fails_as_internal_error() {
    let internal = Command::End(InvocationOutcome::Failed(FailureCode::Internal));
    let rows = table();
    let mut checked = 0;
    for row in &rows {
        let rows_of_state = rows.iter().filter(|other| other.state == row.state);
        let listed: Vec<Event> = rows_of_state.flat_map(Row::events).collect();
        let is_listed =
            |event: &Event| listed.iter().any(|listed| discriminant(listed) == discriminant(event));
        let is_possible = |event: &Event| is_listed(event) || is_result_of_any_command(*event);
        for event in EVENTS.iter().filter(|event| !is_possible(event)) {
            let expected = (internal, Persist::NotNeeded);
            assert_eq!(next(row, *event), expected, "{} {event:?}", row.state);
            checked += 1;
        }
    }
    assert!(checked > 200, "only {checked} impossible results");
}

#[test]
fn result_of_a_stale_command_changes_nothing_after_the_end() {
    let done = after(new(SMALL), &[Event::Loaded, Event::Complete, Event::Verified]);
    for event in EVENTS {
        let mut ended = done.clone();
        assert_eq!(ended.handle(ended.next_command(None), event), Persist::NotNeeded);
        assert_eq!(ended.next_command(None), Command::End(InvocationOutcome::Done), "{event:?}");
    }
}

#[test]
fn lookup_result_without_a_lookup_fails_as_internal_error() {
    let mut machine = new(LARGE);
    let lookup = after(machine.clone(), &[Event::Conflict]).next_command(None);
    let _ = machine.handle(lookup, Event::Found(Occupancy::SameSize));
    let internal = InvocationOutcome::Failed(FailureCode::Internal);
    assert_eq!(machine.next_command(None), Command::End(internal));
}

/// The diagram must have the same edges as the table. It shows the state `End` as `[*]`.
#[test]
fn state_diagram_of_the_documentation_has_the_edges_of_the_table() {
    let document = include_str!("../../../docs/ARCHITECTURE.md");
    let (_, diagram) = document.split_once("stateDiagram-v2\n").unwrap();
    let (diagram, _) = diagram.split_once("```").unwrap();
    let drawn: BTreeSet<(&str, &str)> = diagram
        .lines()
        .filter_map(|line| line.split_once("-->"))
        .map(|(from, to)| (from.trim(), to.split(':').next().unwrap_or(to).trim()))
        .filter(|(from, to)| *from != "[*]" && from != to)
        .collect();
    let rows = table();
    let edges: BTreeSet<(&str, &str)> = rows
        .iter()
        .flat_map(|row| row.results.iter().map(|(_, to, _)| (row.state, *to)))
        .filter(|(from, to)| from != to)
        .map(|(from, to)| (from, if to == "End" { "[*]" } else { to }))
        .collect();
    assert_eq!(drawn, edges);
}
