//! Tests of single decisions of the upload's state machine: conflicts, setbacks and
//! renewals of the source.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::time::Duration;

use docferry_domain::document::{HashState, QuickXorHash};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::Checkpoint;
use docferry_domain::upload::{
    CandidateNames, Command, ConflictPolicy, DriveEvent, ExpectedRange, InvocationOutcome,
    MAX_RENEWALS, Occupancy, UploadMachine, UploadRules,
};

const LARGE: u64 = 10_000_000;
const FRAGMENT: u64 = 16 * 327_680;

fn rules(policy: ConflictPolicy) -> UploadRules {
    UploadRules { largest_fragment: FRAGMENT, policy }
}

fn course(total: u64, policy: ConflictPolicy) -> UploadMachine {
    UploadMachine::begin(total, rules(policy), None, false)
}

/// Asserts the next command and reports its result.
fn report(course: &mut UploadMachine, expected: Command, answer: DriveEvent) {
    assert_eq!(course.action(None), expected);
    let _durable = course.answered(expected, answer);
}

/// Reports a result for the next command, whichever it is, and returns the command.
fn report_next(course: &mut UploadMachine, answer: impl Fn(Command) -> DriveEvent) -> Command {
    let action = course.action(None);
    let _durable = course.answered(action, answer(action));
    action
}

fn hash(len: u64) -> HashState {
    HashState { len, ..QuickXorHash::new().state() }
}

/// Starts the next invocation from the checkpoint of this one.
fn resumed(course: &UploadMachine, policy: ConflictPolicy, session: bool) -> UploadMachine {
    let kept: Checkpoint = course.checkpoint(hash(course.hashed_to()));
    UploadMachine::begin(LARGE, rules(policy), Some(&kept), session)
}

#[test]
fn folder_with_the_document_name_fails_a_large_upload_at_once() {
    let mut course = course(LARGE, ConflictPolicy::Replace);
    report(&mut course, Command::Open, DriveEvent::Conflict);
    let mut lookups = 0;
    while course.action(None) == Command::Look(CandidateNames::One(0)) {
        let _ = course.answered(Command::Look(CandidateNames::One(0)), DriveEvent::Conflict);
        lookups += 1;
    }
    assert_eq!(
        (course.action(None), lookups),
        (
            Command::InvocationOutcome(InvocationOutcome::Failed(FailureCode::DestinationConflict)),
            1
        )
    );
}

#[test]
fn file_in_place_of_a_parent_folder_fails_at_once() {
    for policy in ConflictPolicy::ALL {
        let mut large = course(LARGE, policy);
        report(&mut large, Command::Open, DriveEvent::Conflict);
        assert!(large.is_conflict_lookup());
        report_next(&mut large, |_| DriveEvent::Found(Occupancy::FileInPath));
        let mut small = course(1000, policy);
        report(&mut small, Command::Load, DriveEvent::Loaded);
        report(&mut small, Command::Put { number: 0 }, DriveEvent::Conflict);
        report_next(&mut small, |_| DriveEvent::Found(Occupancy::FileInPath));
        let failed = Command::InvocationOutcome(InvocationOutcome::Failed(
            FailureCode::DestinationPathConflict,
        ));
        assert_eq!((large.action(None), small.action(None)), (failed, failed), "{policy:?}");
    }
}

/// Under `replace` a 409 means that another session or an editor uses the path, or that a
/// folder occupies it. It never means that a file is in the way.
#[test]
fn conflict_of_a_small_put_is_looked_up_before_it_fails() {
    let mut course = course(1000, ConflictPolicy::Replace);
    report(&mut course, Command::Load, DriveEvent::Loaded);
    let mut puts = 0;
    while course.action(None) == (Command::Put { number: 0 }) {
        let durable = course.answered(Command::Put { number: 0 }, DriveEvent::Conflict);
        assert!(!durable);
        puts += 1;
        report(
            &mut course,
            Command::Look(CandidateNames::One(0)),
            DriveEvent::Found(Occupancy::Other),
        );
    }
    assert_eq!(
        course.action(None),
        Command::InvocationOutcome(InvocationOutcome::Failed(FailureCode::DestinationLocked))
    );
    assert!((3..20).contains(&puts), "{puts} PUTs");
}

/// The service answers 409 even under `replace` while any session for that path is open ("A
/// file with the same name is currently being uploaded").
#[test]
fn upload_that_replaces_a_file_waits_for_another_session() {
    for seen in [Occupancy::Nothing, Occupancy::Other, Occupancy::SameSize] {
        let mut course = course(LARGE, ConflictPolicy::Replace);
        report(&mut course, Command::Open, DriveEvent::Lost);
        report(&mut course, Command::Open, DriveEvent::Conflict);
        report(&mut course, Command::Look(CandidateNames::One(0)), DriveEvent::Found(seen));
        let end = course.action(None);
        assert!(
            matches!(end, Command::InvocationOutcome(InvocationOutcome::Blocked(_))),
            "{seen:?}: {end:?}"
        );
    }
}

#[test]
fn waits_for_a_path_outlast_a_session_and_are_limited_per_run() {
    let policy = ConflictPolicy::Replace;
    let mut course = course(LARGE, policy);
    let (mut waits, mut waited) = (0, Duration::ZERO);
    let end = loop {
        report(&mut course, Command::Open, DriveEvent::Conflict);
        report(
            &mut course,
            Command::Look(CandidateNames::One(0)),
            DriveEvent::Found(Occupancy::Other),
        );
        match course.action(None) {
            Command::InvocationOutcome(InvocationOutcome::Blocked(wait)) => waited += wait,
            end => break end,
        }
        waits += 1;
        assert!(waits < 100, "the upload does not end");
        course = resumed(&course, policy, false);
    };
    assert_eq!(
        end,
        Command::InvocationOutcome(InvocationOutcome::Failed(FailureCode::DestinationLocked))
    );
    let minutes = waited.as_secs() / 60;
    assert!((16..30).contains(&minutes), "{minutes} minutes");
}

#[test]
fn existing_file_under_policy_fail_is_a_conflict_at_once() {
    let mut course = course(LARGE, ConflictPolicy::Fail);
    report(&mut course, Command::Open, DriveEvent::Conflict);
    report(
        &mut course,
        Command::Look(CandidateNames::One(0)),
        DriveEvent::Found(Occupancy::SameSize),
    );
    assert_eq!(
        course.action(None),
        Command::InvocationOutcome(InvocationOutcome::Failed(FailureCode::DestinationConflict))
    );
}

fn opened(policy: ConflictPolicy) -> UploadMachine {
    let mut course = course(LARGE, policy);
    report(&mut course, Command::Open, DriveEvent::Opened);
    course
}

#[test]
fn item_changed_during_upload_gets_a_limited_number_of_sessions() {
    let mut course = opened(ConflictPolicy::Replace);
    let mut sessions = 1;
    loop {
        match report_next(&mut course, |action| match action {
            Command::Send(_) => DriveEvent::Conflict,
            Command::Look(_) => DriveEvent::Found(Occupancy::Other),
            Command::Close => DriveEvent::Closed { was_open: true },
            _ => DriveEvent::Opened,
        }) {
            Command::Open => sessions += 1,
            Command::InvocationOutcome(end) => {
                assert_eq!(end, InvocationOutcome::Failed(FailureCode::DestinationLocked));
                break;
            }
            _ => {}
        }
        assert!(sessions < 20, "the upload does not end");
    }
    assert_eq!(sessions, docferry_domain::upload::MAX_SESSIONS);
}

fn accepted(action: Command) -> DriveEvent {
    let Command::Send(range) = action else { panic!("{action:?}") };
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
    for invocation_sends in [1, 2, 1000] {
        let (mut course, mut sent, mut sends) = (opened(policy), 0, 0);
        let mut kept = course.clone();
        let end = loop {
            let action = course.action(None);
            let answer = match action {
                Command::InvocationOutcome(end) => break end,
                Command::Send(range) => {
                    sent += range.len();
                    sends += 1;
                    accepted(action)
                }
                Command::Ask => DriveEvent::Expects(Some(ExpectedRange::open(0))),
                Command::Close => DriveEvent::Closed { was_open: true },
                Command::Open => DriveEvent::Opened,
                Command::Look(_) => DriveEvent::Found(Occupancy::Nothing),
                Command::Hash { until } => DriveEvent::Hashed(until),
                _ => panic!("{action:?}"),
            };
            if course.answered(action, answer) {
                kept = course.clone();
            }
            assert!(sent <= 3 * LARGE, "sent {sent} bytes");
            if matches!(action, Command::Send(_)) && sends % invocation_sends == 0 {
                course = resumed(&kept, policy, true);
            }
        };
        assert_eq!(
            end,
            InvocationOutcome::Failed(FailureCode::DestinationIncomplete),
            "{invocation_sends}"
        );
    }
}

/// Simulates a session that has every byte, names no missing one and never completes the
/// file.
#[test]
fn server_that_never_completes_receives_the_document_at_most_three_times() {
    for next_range in [None, Some(ExpectedRange::open(LARGE))] {
        let (mut course, mut sent) = (opened(ConflictPolicy::Replace), 0);
        let end = loop {
            let action = course.action(None);
            let answer = match action {
                Command::InvocationOutcome(end) => break end,
                Command::Send(range) => {
                    sent += range.len();
                    accepted(action)
                }
                Command::Ask => DriveEvent::Expects(next_range),
                Command::Close => DriveEvent::Closed { was_open: true },
                Command::Open => DriveEvent::Opened,
                _ => DriveEvent::Found(Occupancy::Nothing),
            };
            let _durable = course.answered(action, answer);
            assert!(sent <= 3 * LARGE, "sent {sent} bytes");
        };
        assert_eq!(end, InvocationOutcome::Failed(FailureCode::DestinationIncomplete));
    }
}

/// Acknowledging the same bytes again is no progress.
#[test]
fn only_a_new_maximum_of_acknowledged_bytes_resets_the_failures() {
    let mut course = UploadMachine::begin(5 * LARGE, rules(ConflictPolicy::Replace), None, false);
    report(&mut course, Command::Open, DriveEvent::Opened);
    let first = report_next(&mut course, accepted);
    let Command::Send(first) = first else { panic!("{first:?}") };
    let mut failures = 0;
    let end = loop {
        let action = course.action(None);
        let answer = match action {
            Command::InvocationOutcome(end) => break end,
            // The same fragment is acknowledged again each time.
            Command::Send(range) if range.start < first.end => accepted(action),
            Command::Send(_) => {
                failures += 1;
                DriveEvent::Lost
            }
            Command::Ask => DriveEvent::Expects(Some(ExpectedRange::open(first.end))),
            _ => panic!("{action:?}"),
        };
        let _durable = course.answered(action, answer);
        assert!(failures < 50, "the upload does not end");
    };
    assert_eq!(end, InvocationOutcome::Failed(FailureCode::DestinationUnavailable));
    assert!(failures <= 7, "{failures} failures");
}

#[test]
fn fragment_ends_with_the_range_that_the_session_expects() {
    let mut course = opened(ConflictPolicy::Replace);
    report_next(&mut course, |_| DriveEvent::Lost);
    let gap = ExpectedRange { start: 100, end: Some(1000) };
    report(&mut course, Command::Ask, DriveEvent::Expects(Some(gap)));
    report(&mut course, Command::Hash { until: 100 }, DriveEvent::Hashed(100));
    let action = course.action(None);
    let Command::Send(range) = action else { panic!("{action:?}") };
    assert_eq!((range.start, range.end), (100, 1000));
    // The drive already has the bytes from the end of the gap to byte 5000.
    let took = Duration::from_secs(1);
    let _durable = course
        .answered(action, DriveEvent::Accepted { next: Some(ExpectedRange::open(5000)), took });
    report(&mut course, Command::Ask, DriveEvent::Expects(Some(ExpectedRange::open(5000))));
    report(&mut course, Command::Hash { until: 5000 }, DriveEvent::Hashed(5000));
    let Command::Send(range) = course.action(None) else { panic!() };
    assert_eq!(range.start, 5000);
}

#[test]
fn repeated_source_changes_use_up_no_session_and_fail_as_source_changed() {
    let policy = ConflictPolicy::Replace;
    let (mut course, mut renewals) = (opened(policy), 0);
    let end = loop {
        let action = course.action(None);
        let answer = match action {
            Command::InvocationOutcome(end) => break end,
            Command::Send(_) => DriveEvent::SourceChanged,
            Command::Close => DriveEvent::Closed { was_open: true },
            Command::Renew => {
                renewals += 1;
                DriveEvent::Renewed
            }
            Command::Look(_) => DriveEvent::Found(Occupancy::Nothing),
            _ => DriveEvent::Opened,
        };
        let _durable = course.answered(action, answer);
        if action == Command::Open {
            course = resumed(&course, policy, true);
            report_offset_zero(&mut course);
        }
        assert!(renewals <= MAX_RENEWALS, "{renewals} renewals");
    };
    assert_eq!(end, InvocationOutcome::Failed(FailureCode::SourceChanged));
    assert_eq!(renewals, MAX_RENEWALS);
}

fn report_offset_zero(course: &mut UploadMachine) {
    report(course, Command::Ask, DriveEvent::Expects(Some(ExpectedRange::open(0))));
}

#[test]
fn denied_lookup_is_repeated_before_it_fails_as_unauthorized() {
    let mut course = opened(ConflictPolicy::Replace);
    report_next(&mut course, |_| DriveEvent::Gone);
    let mut lookups = 0;
    while course.action(None) == Command::Look(CandidateNames::One(0)) {
        let denied = DriveEvent::NoEffect(FailureCode::DestinationUnauthorized);
        let _durable = course.answered(Command::Look(CandidateNames::One(0)), denied);
        lookups += 1;
    }
    assert!((3..20).contains(&lookups), "{lookups} lookups");
    let failed = InvocationOutcome::Failed(FailureCode::DestinationUnauthorized);
    assert_eq!(course.action(None), Command::InvocationOutcome(failed));
}
