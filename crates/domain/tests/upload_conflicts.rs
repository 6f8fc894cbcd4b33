//! Tests of single decisions of the upload's state machine: conflicts at the destination,
//! setbacks (losses of acknowledged bytes) and changes of the source.
//!
//! Each test reports results to the machine and checks the commands that it returns.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::time::Duration;

use docferry_domain::document::{HashState, QuickXorHash};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::Checkpoint;
use docferry_domain::upload::{
    CandidateNames, Command, ConflictPolicy, DriveEvent, ExpectedRange, InvocationOutcome,
    MAX_RENEWALS, Occupancy, Persist, UploadMachine, UploadRules,
};

/// Size of a document that is sent to an upload session.
const LARGE: u64 = 10_000_000;
/// Maximum length of a fragment.
const FRAGMENT: u64 = 16 * 327_680;

fn rules(policy: ConflictPolicy) -> UploadRules {
    UploadRules { largest_fragment: FRAGMENT, policy }
}

/// Returns the machine of a new upload without a checkpoint.
fn machine(total: u64, policy: ConflictPolicy) -> UploadMachine {
    UploadMachine::begin(total, rules(policy), None, false)
}

/// Asserts that the next command is `expected`, and reports its result.
fn report(machine: &mut UploadMachine, expected: Command, event: DriveEvent) {
    assert_eq!(machine.next_command(None), expected);
    let _persist = machine.handle(expected, event);
}

/// Reports a result for the next command and returns the command.
fn report_next(machine: &mut UploadMachine, event: impl Fn(Command) -> DriveEvent) -> Command {
    let command = machine.next_command(None);
    let _persist = machine.handle(command, event(command));
    command
}

fn hash(len: u64) -> HashState {
    HashState { len, ..QuickXorHash::new().state() }
}

/// Starts the next invocation from the checkpoint of this one.
fn resumed(machine: &UploadMachine, policy: ConflictPolicy, has_session: bool) -> UploadMachine {
    let checkpoint: Checkpoint = machine.checkpoint(hash(machine.hashed_to()));
    UploadMachine::begin(LARGE, rules(policy), Some(&checkpoint), has_session)
}

#[test]
fn folder_with_the_document_name_fails_a_large_upload_at_once() {
    let mut machine = machine(LARGE, ConflictPolicy::Replace);
    report(&mut machine, Command::OpenSession, DriveEvent::Conflict);
    let mut lookups = 0;
    while machine.next_command(None) == Command::LookUp(CandidateNames::One(0)) {
        let _ = machine.handle(Command::LookUp(CandidateNames::One(0)), DriveEvent::Conflict);
        lookups += 1;
    }
    assert_eq!(
        (machine.next_command(None), lookups),
        (Command::End(InvocationOutcome::Failed(FailureCode::DestinationConflict)), 1)
    );
}

#[test]
fn file_in_place_of_a_parent_folder_fails_at_once() {
    for policy in ConflictPolicy::ALL {
        let mut large = machine(LARGE, policy);
        report(&mut large, Command::OpenSession, DriveEvent::Conflict);
        assert!(large.is_conflict_lookup());
        report_next(&mut large, |_| DriveEvent::Found(Occupancy::FileInPath));
        let mut small = machine(1000, policy);
        report(&mut small, Command::LoadDocument, DriveEvent::Loaded);
        report(&mut small, Command::PutDocument { number: 0 }, DriveEvent::Conflict);
        report_next(&mut small, |_| DriveEvent::Found(Occupancy::FileInPath));
        let failed = Command::End(InvocationOutcome::Failed(FailureCode::DestinationPathConflict));
        assert_eq!(
            (large.next_command(None), small.next_command(None)),
            (failed, failed),
            "{policy:?}"
        );
    }
}

/// Under `replace` a 409 means that another session or an editor uses the path, or that a
/// folder occupies it. It never means that a file is in the way.
#[test]
fn conflict_of_a_small_put_is_looked_up_before_it_fails() {
    let mut machine = machine(1000, ConflictPolicy::Replace);
    report(&mut machine, Command::LoadDocument, DriveEvent::Loaded);
    let mut puts = 0;
    while machine.next_command(None) == (Command::PutDocument { number: 0 }) {
        let persist = machine.handle(Command::PutDocument { number: 0 }, DriveEvent::Conflict);
        assert_eq!(persist, Persist::NotNeeded);
        puts += 1;
        report(
            &mut machine,
            Command::LookUp(CandidateNames::One(0)),
            DriveEvent::Found(Occupancy::Other),
        );
    }
    assert_eq!(
        machine.next_command(None),
        Command::End(InvocationOutcome::Failed(FailureCode::DestinationLocked))
    );
    assert!((3..20).contains(&puts), "{puts} PUTs");
}

/// The service answers 409 even under `replace` while any session for that path is open ("A
/// file with the same name is currently being uploaded").
#[test]
fn upload_that_replaces_a_file_waits_for_another_session() {
    for occupancy in [Occupancy::Nothing, Occupancy::Other, Occupancy::SameSize] {
        let mut machine = machine(LARGE, ConflictPolicy::Replace);
        report(&mut machine, Command::OpenSession, DriveEvent::Lost);
        report(&mut machine, Command::OpenSession, DriveEvent::Conflict);
        report(&mut machine, Command::LookUp(CandidateNames::One(0)), DriveEvent::Found(occupancy));
        let end = machine.next_command(None);
        assert!(
            matches!(end, Command::End(InvocationOutcome::Blocked(_))),
            "{occupancy:?}: {end:?}"
        );
    }
}

#[test]
fn waits_for_a_path_outlast_a_session_and_are_limited_per_run() {
    let policy = ConflictPolicy::Replace;
    let mut machine = machine(LARGE, policy);
    let (mut waits, mut waited) = (0, Duration::ZERO);
    let end = loop {
        report(&mut machine, Command::OpenSession, DriveEvent::Conflict);
        report(
            &mut machine,
            Command::LookUp(CandidateNames::One(0)),
            DriveEvent::Found(Occupancy::Other),
        );
        match machine.next_command(None) {
            Command::End(InvocationOutcome::Blocked(wait)) => waited += wait,
            end => break end,
        }
        waits += 1;
        assert!(waits < 100, "the upload does not end");
        machine = resumed(&machine, policy, false);
    };
    assert_eq!(end, Command::End(InvocationOutcome::Failed(FailureCode::DestinationLocked)));
    let minutes = waited.as_secs() / 60;
    assert!((16..30).contains(&minutes), "{minutes} minutes");
}

#[test]
fn existing_file_under_policy_fail_is_a_conflict_at_once() {
    let mut machine = machine(LARGE, ConflictPolicy::Fail);
    report(&mut machine, Command::OpenSession, DriveEvent::Conflict);
    report(
        &mut machine,
        Command::LookUp(CandidateNames::One(0)),
        DriveEvent::Found(Occupancy::SameSize),
    );
    assert_eq!(
        machine.next_command(None),
        Command::End(InvocationOutcome::Failed(FailureCode::DestinationConflict))
    );
}

/// Returns a machine that has opened an upload session for a large document.
fn opened(policy: ConflictPolicy) -> UploadMachine {
    let mut machine = machine(LARGE, policy);
    report(&mut machine, Command::OpenSession, DriveEvent::Opened);
    machine
}

#[test]
fn item_changed_during_upload_gets_a_limited_number_of_sessions() {
    let mut machine = opened(ConflictPolicy::Replace);
    let mut sessions = 1;
    loop {
        match report_next(&mut machine, |command| match command {
            Command::SendFragment(_) => DriveEvent::Conflict,
            Command::LookUp(_) => DriveEvent::Found(Occupancy::Other),
            Command::CloseSession => DriveEvent::Closed { was_open: true },
            _ => DriveEvent::Opened,
        }) {
            Command::OpenSession => sessions += 1,
            Command::End(end) => {
                assert_eq!(end, InvocationOutcome::Failed(FailureCode::DestinationLocked));
                break;
            }
            _ => {}
        }
        assert!(sessions < 20, "the upload does not end");
    }
    assert_eq!(sessions, docferry_domain::upload::MAX_SESSIONS);
}

/// Returns the result that the whole fragment was accepted.
fn accepted(command: Command) -> DriveEvent {
    let Command::SendFragment(range) = command else { panic!("{command:?}") };
    DriveEvent::Accepted {
        next: Some(ExpectedRange::open(range.end)),
        took: Duration::from_secs(1),
    }
}

/// Simulates a server that acknowledges every byte and then expects all of them again, over
/// any number of invocations.
#[test]
fn server_that_loses_every_byte_receives_the_document_at_most_three_times() {
    let policy = ConflictPolicy::Replace;
    for fragments_per_invocation in [1, 2, 1000] {
        let mut machine = opened(policy);
        let (mut sent_bytes, mut sent_fragments) = (0, 0);
        let mut at_checkpoint = machine.clone();
        let end = loop {
            let command = machine.next_command(None);
            let event = match command {
                Command::End(end) => break end,
                Command::SendFragment(range) => {
                    sent_bytes += range.len();
                    sent_fragments += 1;
                    accepted(command)
                }
                Command::QuerySession => DriveEvent::Expects(Some(ExpectedRange::open(0))),
                Command::CloseSession => DriveEvent::Closed { was_open: true },
                Command::OpenSession => DriveEvent::Opened,
                Command::LookUp(_) => DriveEvent::Found(Occupancy::Nothing),
                Command::HashSource { until } => DriveEvent::Hashed(until),
                _ => panic!("{command:?}"),
            };
            if machine.handle(command, event) == Persist::Before {
                at_checkpoint = machine.clone();
            }
            assert!(sent_bytes <= 3 * LARGE, "sent {sent_bytes} bytes");
            let is_invocation_over = sent_fragments % fragments_per_invocation == 0;
            if matches!(command, Command::SendFragment(_)) && is_invocation_over {
                machine = resumed(&at_checkpoint, policy, true);
            }
        };
        assert_eq!(
            end,
            InvocationOutcome::Failed(FailureCode::DestinationIncomplete),
            "{fragments_per_invocation} fragments per invocation"
        );
    }
}

/// Simulates a session that has every byte, names no missing byte and never completes the
/// file.
#[test]
fn server_that_never_completes_receives_the_document_at_most_three_times() {
    for next_range in [None, Some(ExpectedRange::open(LARGE))] {
        let mut machine = opened(ConflictPolicy::Replace);
        let mut sent_bytes = 0;
        let end = loop {
            let command = machine.next_command(None);
            let event = match command {
                Command::End(end) => break end,
                Command::SendFragment(range) => {
                    sent_bytes += range.len();
                    accepted(command)
                }
                Command::QuerySession => DriveEvent::Expects(next_range),
                Command::CloseSession => DriveEvent::Closed { was_open: true },
                Command::OpenSession => DriveEvent::Opened,
                _ => DriveEvent::Found(Occupancy::Nothing),
            };
            let _persist = machine.handle(command, event);
            assert!(sent_bytes <= 3 * LARGE, "sent {sent_bytes} bytes");
        };
        assert_eq!(end, InvocationOutcome::Failed(FailureCode::DestinationIncomplete));
    }
}

/// Acknowledging the same bytes again is no progress.
#[test]
fn only_a_new_maximum_of_acknowledged_bytes_resets_the_failures() {
    let mut machine = UploadMachine::begin(5 * LARGE, rules(ConflictPolicy::Replace), None, false);
    report(&mut machine, Command::OpenSession, DriveEvent::Opened);
    let command = report_next(&mut machine, accepted);
    let Command::SendFragment(first_fragment) = command else { panic!("{command:?}") };
    let mut failures = 0;
    let end = loop {
        let command = machine.next_command(None);
        let event = match command {
            Command::End(end) => break end,
            // The same fragment is acknowledged again each time.
            Command::SendFragment(range) if range.start < first_fragment.end => accepted(command),
            Command::SendFragment(_) => {
                failures += 1;
                DriveEvent::Lost
            }
            Command::QuerySession => {
                DriveEvent::Expects(Some(ExpectedRange::open(first_fragment.end)))
            }
            _ => panic!("{command:?}"),
        };
        let _persist = machine.handle(command, event);
        assert!(failures < 50, "the upload does not end");
    };
    assert_eq!(end, InvocationOutcome::Failed(FailureCode::DestinationUnavailable));
    // Six failures are followed by a retry, as `docs/GRAPH.md` says.
    assert!(failures <= 7, "{failures} failures");
}

#[test]
fn fragment_ends_with_the_range_that_the_session_expects() {
    let mut machine = opened(ConflictPolicy::Replace);
    report_next(&mut machine, |_| DriveEvent::Lost);
    let missing = ExpectedRange { start: 100, end: Some(1000) };
    report(&mut machine, Command::QuerySession, DriveEvent::Expects(Some(missing)));
    report(&mut machine, Command::HashSource { until: 100 }, DriveEvent::Hashed(100));
    let command = machine.next_command(None);
    let Command::SendFragment(range) = command else { panic!("{command:?}") };
    assert_eq!((range.start, range.end), (100, 1000));

    // The drive already has the bytes from 1000 to 5000.
    let took = Duration::from_secs(1);
    let _persist = machine
        .handle(command, DriveEvent::Accepted { next: Some(ExpectedRange::open(5000)), took });
    report(
        &mut machine,
        Command::QuerySession,
        DriveEvent::Expects(Some(ExpectedRange::open(5000))),
    );
    report(&mut machine, Command::HashSource { until: 5000 }, DriveEvent::Hashed(5000));
    let Command::SendFragment(range) = machine.next_command(None) else { panic!() };
    assert_eq!(range.start, 5000);
}

#[test]
fn repeated_source_changes_use_up_no_session_and_fail_as_source_changed() {
    let policy = ConflictPolicy::Replace;
    let mut machine = opened(policy);
    let mut renewals = 0;
    let end = loop {
        let command = machine.next_command(None);
        let event = match command {
            Command::End(end) => break end,
            Command::SendFragment(_) => DriveEvent::SourceChanged,
            Command::CloseSession => DriveEvent::Closed { was_open: true },
            Command::RenewSource => {
                renewals += 1;
                DriveEvent::Renewed
            }
            Command::LookUp(_) => DriveEvent::Found(Occupancy::Nothing),
            _ => DriveEvent::Opened,
        };
        let _persist = machine.handle(command, event);
        if command == Command::OpenSession {
            machine = resumed(&machine, policy, true);
            report_offset_zero(&mut machine);
        }
        assert!(renewals <= MAX_RENEWALS, "{renewals} renewals");
    };
    assert_eq!(end, InvocationOutcome::Failed(FailureCode::SourceChanged));
    assert_eq!(renewals, MAX_RENEWALS);
}

/// Reports that the session expects the document from its first byte.
fn report_offset_zero(machine: &mut UploadMachine) {
    report(machine, Command::QuerySession, DriveEvent::Expects(Some(ExpectedRange::open(0))));
}

#[test]
fn denied_lookup_is_repeated_before_it_fails_as_unauthorized() {
    let mut machine = opened(ConflictPolicy::Replace);
    report_next(&mut machine, |_| DriveEvent::Gone);
    let mut lookups = 0;
    while machine.next_command(None) == Command::LookUp(CandidateNames::One(0)) {
        let denied = DriveEvent::NoEffect(FailureCode::DestinationUnauthorized);
        let _persist = machine.handle(Command::LookUp(CandidateNames::One(0)), denied);
        lookups += 1;
    }
    assert!((3..20).contains(&lookups), "{lookups} lookups");
    let failed = InvocationOutcome::Failed(FailureCode::DestinationUnauthorized);
    assert_eq!(machine.next_command(None), Command::End(failed));
}
