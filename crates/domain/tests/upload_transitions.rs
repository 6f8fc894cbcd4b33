//! Table test of the upload's state machine: every result of a command in every state, and
//! the diagram in the documentation.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::BTreeSet;
use std::mem::discriminant;
use std::time::Duration;

use docferry_domain::document::{HashState, QuickXorHash};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::{
    Checkpoint, Command, ConflictPolicy, DriveEvent as E, ExpectedRange, InvocationOutcome,
    Occupancy, Persist, UploadMachine, UploadRules,
};

const SMALL: u64 = 1_000;
const FRAGMENT: u64 = 16 * 327_680;
const LARGE: u64 = 2 * FRAGMENT;
const RULES: UploadRules =
    UploadRules { largest_fragment: FRAGMENT, policy: ConflictPolicy::Replace };

/// A machine in one state, and the states that its possible results lead to.
struct Row {
    /// Name of the state, which is that of its command.
    state: &'static str,
    machine: UploadMachine,
    /// Results that belong to the command, with the next state and whether a checkpoint
    /// comes before it.
    results: Vec<(E, &'static str, Persist)>,
}

impl Row {
    fn events(&self) -> impl Iterator<Item = E> {
        self.results.iter().map(|(event, ..)| *event)
    }
}

fn hash(len: u64) -> HashState {
    HashState { len, ..QuickXorHash::new().state() }
}

/// Drives a machine through these results.
fn after(mut machine: UploadMachine, results: &[E]) -> UploadMachine {
    for result in results {
        let _ = machine.handle(machine.next_command(None), *result);
    }
    machine
}

fn new(size: u64) -> UploadMachine {
    UploadMachine::begin(size, RULES, None, false)
}

fn stored(machine: &UploadMachine) -> Checkpoint {
    machine.checkpoint(hash(machine.hashed_to()))
}

fn accepted(next: Option<u64>) -> E {
    E::Accepted { next: next.map(ExpectedRange::open), took: Duration::from_secs(1) }
}

fn expects(start: u64) -> E {
    E::Expects(Some(ExpectedRange::open(start)))
}

/// Reports that the rest of a large source is hashed.
fn hashed(machine: UploadMachine) -> UploadMachine {
    after(machine, &[E::Hashed(LARGE)])
}

/// A machine that compares a file which a lookup found. `absent` is the next state if the
/// file is not the document.
fn verify_looked_up(machine: UploadMachine, absent: &'static str, persist: Persist) -> Row {
    let results = vec![
        (E::Verified, "End", Persist::NotNeeded),
        (E::OtherFile, absent, persist),
        (E::Unproven, "End", Persist::NotNeeded),
        (E::HashPending, "Verify", Persist::NotNeeded),
        (E::NotSeen, "Verify", Persist::NotNeeded),
    ];
    Row { state: "Verify", machine, results }
}

/// Every state that can be entered, with its possible results.
fn table() -> Vec<Row> {
    use Persist::{Before, NotNeeded};
    let row = |state, machine, results: &[_]| Row { state, machine, results: results.to_vec() };
    let put = after(new(SMALL), &[E::Loaded]);
    let sending = after(new(LARGE), &[E::Opened]);
    let last = after(sending.clone(), &[accepted(Some(FRAGMENT))]);
    let query = UploadMachine::begin(LARGE, RULES, None, true);
    let put_unanswered = UploadMachine::begin(SMALL, RULES, Some(&stored(&put)), false);
    let session_gone = after(query.clone(), &[E::Gone]);
    let conflict = after(new(LARGE), &[E::Conflict]);
    let put_conflict = after(put.clone(), &[E::Conflict]);
    let unhashed = after(query.clone(), &[expects(FRAGMENT)]);
    let own = after(last.clone(), &[E::Complete]);
    let early = after(sending.clone(), &[E::Complete, E::Hashed(LARGE)]);
    let looked_up = after(put_unanswered.clone(), &[E::Found(Occupancy::SameSize)]);
    let changed = after(sending.clone(), &[E::SourceChanged]);
    let replaced = after(sending.clone(), &[E::Lost, expects(0), E::Conflict]);
    let replaced = after(replaced, &[E::Found(Occupancy::Nothing)]);
    let ranged = after(last.clone(), &[E::Lost]);
    let loses_bytes = after(ranged, &[expects(0), E::Mismatch, expects(FRAGMENT)]);
    let loses_bytes = after(loses_bytes, &[E::Mismatch]);
    let same = E::Found(Occupancy::SameSize);
    let compared = |machine: &UploadMachine, event: E| after(machine.clone(), &[event, same]);
    let no_range = [E::Expects(None), E::Found(Occupancy::Nothing)].repeat(3);
    let no_range = after(after(query.clone(), &no_range), &[E::Expects(None)]);
    vec![
        row(
            "QuerySession",
            query.clone(),
            &[
                (expects(0), "SendFragment", NotNeeded),
                (expects(FRAGMENT), "HashSource", Before),
                (E::Expects(None), "LookUp", NotNeeded),
                (E::Gone, "LookUp", NotNeeded),
            ],
        ),
        row(
            "LookUp",
            after(query.clone(), &[E::Expects(None)]),
            &[
                (E::Found(Occupancy::Nothing), "QuerySession", NotNeeded),
                (E::Found(Occupancy::SameSize), "HashSource", NotNeeded),
                (E::Conflict, "QuerySession", NotNeeded),
            ],
        ),
        row("QuerySession", loses_bytes, &[(expects(0), "CloseSession", Before)]),
        row("LookUp", no_range, &[(E::Found(Occupancy::Nothing), "CloseSession", NotNeeded)]),
        row(
            "LookUp",
            after(sending.clone(), &[E::Conflict]),
            &[
                (E::Found(Occupancy::Nothing), "CloseSession", Before),
                (E::Conflict, "End", NotNeeded),
            ],
        ),
        row(
            "LookUp",
            session_gone,
            &[
                (E::Found(Occupancy::Nothing), "OpenSession", NotNeeded),
                (E::Conflict, "OpenSession", NotNeeded),
            ],
        ),
        row(
            "LookUp",
            put_unanswered,
            &[
                (E::Found(Occupancy::Nothing), "LoadDocument", NotNeeded),
                (E::Found(Occupancy::SameSize), "Verify", NotNeeded),
                (E::Conflict, "LoadDocument", NotNeeded),
            ],
        ),
        row(
            "LookUp",
            conflict,
            &[
                (E::Found(Occupancy::Nothing), "End", Before),
                (E::Found(Occupancy::Folder), "End", NotNeeded),
                (E::Found(Occupancy::FileInPath), "End", NotNeeded),
                (E::Conflict, "End", NotNeeded),
            ],
        ),
        row(
            "LookUp",
            put_conflict,
            &[
                (E::Found(Occupancy::Nothing), "PutDocument", Before),
                (E::Conflict, "End", NotNeeded),
            ],
        ),
        row("HashSource", unhashed, &[(E::Hashed(FRAGMENT), "SendFragment", Before)]),
        row(
            "HashSource",
            after(sending.clone(), &[E::Complete]),
            &[(E::Hashed(LARGE), "Verify", Before)],
        ),
        row("LoadDocument", new(SMALL), &[(E::Loaded, "PutDocument", Before)]),
        row(
            "PutDocument",
            put.clone(),
            &[(E::Complete, "Verify", NotNeeded), (E::Conflict, "LookUp", NotNeeded)],
        ),
        row(
            "OpenSession",
            new(LARGE),
            &[(E::Opened, "SendFragment", Before), (E::Conflict, "LookUp", NotNeeded)],
        ),
        row(
            "CloseSession",
            changed.clone(),
            &[
                (E::Closed { was_open: true }, "RenewSource", NotNeeded),
                (E::Closed { was_open: false }, "RenewSource", NotNeeded),
                (E::Gone, "RenewSource", NotNeeded),
            ],
        ),
        row(
            "CloseSession",
            replaced,
            &[
                (E::Closed { was_open: true }, "OpenSession", NotNeeded),
                (E::Closed { was_open: false }, "LookUp", NotNeeded),
                (E::Gone, "LookUp", NotNeeded),
            ],
        ),
        row(
            "SendFragment",
            sending.clone(),
            &[
                (accepted(Some(FRAGMENT)), "SendFragment", Before),
                (accepted(Some(5)), "QuerySession", NotNeeded),
                (accepted(None), "QuerySession", NotNeeded),
                (E::Complete, "HashSource", NotNeeded),
                (E::Mismatch, "QuerySession", NotNeeded),
                (E::Gone, "LookUp", NotNeeded),
                (E::Conflict, "LookUp", NotNeeded),
            ],
        ),
        row(
            "SendFragment",
            last,
            &[
                (accepted(Some(LARGE)), "QuerySession", NotNeeded),
                (E::Complete, "Verify", NotNeeded),
                (E::Mismatch, "QuerySession", NotNeeded),
                (E::Gone, "LookUp", NotNeeded),
                (E::Conflict, "LookUp", NotNeeded),
            ],
        ),
        row(
            "Verify",
            own,
            &[
                (E::Verified, "End", NotNeeded),
                (E::OtherFile, "End", NotNeeded),
                (E::Unproven, "End", NotNeeded),
                (E::HashPending, "Verify", Before),
                (E::NotSeen, "Verify", Before),
            ],
        ),
        row(
            "Verify",
            early,
            &[
                (E::Verified, "End", NotNeeded),
                (E::OtherFile, "End", NotNeeded),
                (E::Unproven, "End", NotNeeded),
                (E::HashPending, "Verify", NotNeeded),
                (E::NotSeen, "Verify", NotNeeded),
            ],
        ),
        verify_looked_up(looked_up, "LoadDocument", NotNeeded),
        verify_looked_up(hashed(compared(&sending, E::Gone)), "OpenSession", NotNeeded),
        verify_looked_up(hashed(compared(&query, E::Expects(None))), "QuerySession", NotNeeded),
        verify_looked_up(hashed(compared(&sending, E::Conflict)), "CloseSession", Before),
        verify_looked_up(
            after(
                put.clone(),
                &[E::Lost, E::Found(Occupancy::Nothing), E::Loaded, E::Conflict, same],
            ),
            "PutDocument",
            Before,
        ),
        row(
            "RenewSource",
            after(changed, &[E::Closed { was_open: true }]),
            &[(E::Renewed, "LookUp", NotNeeded)],
        ),
        row(
            "RenewSource",
            after(new(LARGE), &[E::SourceChanged]),
            &[(E::Renewed, "OpenSession", NotNeeded)],
        ),
        row(
            "RenewSource",
            after(new(SMALL), &[E::SourceChanged]),
            &[(E::Renewed, "LoadDocument", NotNeeded)],
        ),
    ]
}

/// One event of each kind.
const EVENTS: [E; 25] = [
    E::Expects(None),
    E::Accepted { next: None, took: Duration::ZERO },
    E::Complete,
    E::Mismatch,
    E::Gone,
    E::Lost,
    E::NoEffect(FailureCode::DestinationLocked),
    E::TimedOut,
    E::OutOfTime,
    E::Opened,
    E::Closed { was_open: true },
    E::Found(Occupancy::Nothing),
    E::Hashed(1),
    E::Loaded,
    E::Verified,
    E::OtherFile,
    E::HashPending,
    E::NotSeen,
    E::Unproven,
    E::Renewed,
    E::SourceUnreadable,
    E::SourceChanged,
    E::Throttled(None),
    E::Conflict,
    E::Refused(FailureCode::QuotaExceeded),
];

/// Returns whether every command can have this result. A new kind of event does not compile
/// until it is listed here; it belongs to `EVENTS` as well.
fn is_result_of_any_command(event: E) -> bool {
    match event {
        E::Throttled(_)
        | E::Refused(_)
        | E::SourceChanged
        | E::OutOfTime
        | E::Lost
        | E::TimedOut
        | E::SourceUnreadable
        | E::NoEffect(_) => true,
        E::Expects(_)
        | E::Accepted { .. }
        | E::Complete
        | E::Mismatch
        | E::Gone
        | E::Opened
        | E::Closed { .. }
        | E::Found(_)
        | E::Hashed(_)
        | E::Loaded
        | E::Verified
        | E::OtherFile
        | E::HashPending
        | E::NotSeen
        | E::Unproven
        | E::Renewed
        | E::Conflict => false,
    }
}

fn name(command: Command) -> &'static str {
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
fn next(row: &Row, event: E) -> (Command, Persist) {
    let mut machine = row.machine.clone();
    let persist = machine.handle(machine.next_command(None), event);
    (machine.next_command(None), persist)
}

#[test]
fn each_result_of_a_command_leads_to_the_listed_state() {
    for row in table() {
        assert_eq!(name(row.machine.next_command(None)), row.state);
        for (event, expected, persist) in &row.results {
            let (command, stored) = next(&row, *event);
            assert_eq!((name(command), stored), (*expected, *persist), "{} {event:?}", row.state);
        }
    }
}

#[test]
fn failures_that_any_command_can_have_are_handled_in_every_state() {
    for row in table() {
        let end = |event| match next(&row, event).0 {
            Command::End(outcome) => Some(outcome),
            _ => None,
        };
        let failed = |code| Some(InvocationOutcome::Failed(code));
        let state = row.state;
        assert_eq!(end(E::Throttled(None)), Some(InvocationOutcome::Wait(None)), "{state}");
        assert_eq!(end(E::OutOfTime), Some(InvocationOutcome::HandOver), "{state}");
        let refused = end(E::Refused(FailureCode::QuotaExceeded));
        assert_eq!(refused, failed(FailureCode::QuotaExceeded), "{state}");
        let changed = name(next(&row, E::SourceChanged).0);
        assert!(["CloseSession", "RenewSource"].contains(&changed), "{state}: {changed}");
        let no_effect = E::NoEffect(FailureCode::DestinationLocked);
        for event in [E::Lost, E::TimedOut, E::SourceUnreadable, no_effect] {
            let expected = match (state, event) {
                ("SendFragment", _) => "QuerySession",
                ("PutDocument", E::NoEffect(_)) => "PutDocument",
                ("PutDocument", _) => "LookUp",
                _ => state,
            };
            assert_eq!(name(next(&row, event).0), expected, "{state} {event:?}");
        }
    }
}

#[test]
fn result_of_another_command_fails_as_internal_error() {
    let internal = Command::End(InvocationOutcome::Failed(FailureCode::Internal));
    let rows = table();
    let mut impossible = 0;
    for row in &rows {
        let own: Vec<E> =
            rows.iter().filter(|other| other.state == row.state).flat_map(Row::events).collect();
        let is_listed = |event: &E| own.iter().any(|own| discriminant(own) == discriminant(event));
        let is_possible = |event: &E| is_listed(event) || is_result_of_any_command(*event);
        for event in EVENTS.iter().filter(|event| !is_possible(event)) {
            let expected = (internal, Persist::NotNeeded);
            assert_eq!(next(row, *event), expected, "{} {event:?}", row.state);
            impossible += 1;
        }
    }
    assert!(impossible > 200, "{impossible}");
}

#[test]
fn result_of_a_stale_command_changes_nothing_after_the_end() {
    let done = after(new(SMALL), &[E::Loaded, E::Complete, E::Verified]);
    for event in EVENTS {
        let mut ended = done.clone();
        assert_eq!(ended.handle(ended.next_command(None), event), Persist::NotNeeded);
        assert_eq!(ended.next_command(None), Command::End(InvocationOutcome::Done), "{event:?}");
    }
}

#[test]
fn lookup_result_without_a_lookup_fails_as_internal_error() {
    let mut machine = new(LARGE);
    let lookup = after(machine.clone(), &[E::Conflict]).next_command(None);
    let _ = machine.handle(lookup, E::Found(Occupancy::SameSize));
    let internal = InvocationOutcome::Failed(FailureCode::Internal);
    assert_eq!(machine.next_command(None), Command::End(internal));
}

/// The edges of the diagram are those of the table; `End` is drawn as `[*]`.
#[test]
fn state_diagram_of_the_documentation_has_the_edges_of_the_table() {
    let text = include_str!("../../../docs/ARCHITECTURE.md");
    let (_, diagram) = text.split_once("stateDiagram-v2\n").unwrap();
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
