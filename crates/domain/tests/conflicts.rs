//! Tests of single decisions of the upload's state machine: conflicts, setbacks and
//! renewals of the source.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::time::Duration;

use docferry_domain::{
    Action, Answer, Checkpoint, ConflictPolicy, Course, CourseRules, End, FailureCode, Gap,
    HashState, MAX_RENEWALS, Names, QuickXorHash, Seen,
};

const LARGE: u64 = 10_000_000;
const FRAGMENT: u64 = 16 * 327_680;

fn rules(policy: ConflictPolicy) -> CourseRules {
    CourseRules { largest_fragment: FRAGMENT, policy }
}

fn course(total: u64, policy: ConflictPolicy) -> Course {
    Course::begin(total, rules(policy), None, false)
}

/// Asserts the next command and reports its result.
fn report(course: &mut Course, expected: Action, answer: Answer) {
    assert_eq!(course.action(None), expected);
    let _durable = course.answered(expected, answer);
}

/// Reports a result for the next command, whichever it is, and returns the command.
fn report_next(course: &mut Course, answer: impl Fn(Action) -> Answer) -> Action {
    let action = course.action(None);
    let _durable = course.answered(action, answer(action));
    action
}

fn hash(len: u64) -> HashState {
    HashState { len, ..QuickXorHash::new().state() }
}

/// Starts the next invocation from the checkpoint of this one.
fn resumed(course: &Course, policy: ConflictPolicy, session: bool) -> Course {
    let kept: Checkpoint = course.checkpoint(hash(course.hashed_to()));
    Course::begin(LARGE, rules(policy), Some(&kept), session)
}

#[test]
fn folder_of_that_name_is_the_reason_at_once_for_a_large_document() {
    let mut course = course(LARGE, ConflictPolicy::Replace);
    report(&mut course, Action::Open, Answer::Conflict);
    let mut lookups = 0;
    while course.action(None) == Action::Look(Names::One(0)) {
        let _ = course.answered(Action::Look(Names::One(0)), Answer::Conflict);
        lookups += 1;
    }
    assert_eq!(
        (course.action(None), lookups),
        (Action::End(End::Failed(FailureCode::DestinationConflict)), 1)
    );
}

#[test]
fn file_in_place_of_a_parent_folder_is_the_reason_at_once() {
    for policy in ConflictPolicy::ALL {
        let mut large = course(LARGE, policy);
        report(&mut large, Action::Open, Answer::Conflict);
        assert!(large.is_about_a_conflict());
        report_next(&mut large, |_| Answer::Found(Seen::FileInPath));
        let mut small = course(1000, policy);
        report(&mut small, Action::Load, Answer::Loaded);
        report(&mut small, Action::Put { number: 0 }, Answer::Conflict);
        report_next(&mut small, |_| Answer::Found(Seen::FileInPath));
        let failed = Action::End(End::Failed(FailureCode::DestinationPathConflict));
        assert_eq!((large.action(None), small.action(None)), (failed, failed), "{policy:?}");
    }
}

/// Under `replace` a 409 means that another session or an editor uses the path, or that a
/// folder occupies it. It never means that a file is in the way.
#[test]
fn conflict_of_a_small_document_is_looked_at_before_it_is_final() {
    let mut course = course(1000, ConflictPolicy::Replace);
    report(&mut course, Action::Load, Answer::Loaded);
    let mut puts = 0;
    while course.action(None) == (Action::Put { number: 0 }) {
        let durable = course.answered(Action::Put { number: 0 }, Answer::Conflict);
        assert!(!durable);
        puts += 1;
        report(&mut course, Action::Look(Names::One(0)), Answer::Found(Seen::Other));
    }
    assert_eq!(course.action(None), Action::End(End::Failed(FailureCode::DestinationLocked)));
    assert!((3..20).contains(&puts), "{puts} PUTs");
}

/// The service answers 409 even under `replace` while any session for that path is open ("A
/// file with the same name is currently being uploaded").
#[test]
fn upload_that_replaces_a_file_waits_for_another_session() {
    for seen in [Seen::Nothing, Seen::Other, Seen::SameSize] {
        let mut course = course(LARGE, ConflictPolicy::Replace);
        report(&mut course, Action::Open, Answer::Lost);
        report(&mut course, Action::Open, Answer::Conflict);
        report(&mut course, Action::Look(Names::One(0)), Answer::Found(seen));
        let end = course.action(None);
        assert!(matches!(end, Action::End(End::Blocked(_))), "{seen:?}: {end:?}");
    }
}

#[test]
fn waits_for_a_path_outlast_a_session_and_are_bounded_over_all_invocations() {
    let policy = ConflictPolicy::Replace;
    let mut course = course(LARGE, policy);
    let (mut waits, mut waited) = (0, Duration::ZERO);
    let end = loop {
        report(&mut course, Action::Open, Answer::Conflict);
        report(&mut course, Action::Look(Names::One(0)), Answer::Found(Seen::Other));
        match course.action(None) {
            Action::End(End::Blocked(wait)) => waited += wait,
            end => break end,
        }
        waits += 1;
        assert!(waits < 100, "the upload does not end");
        course = resumed(&course, policy, false);
    };
    assert_eq!(end, Action::End(End::Failed(FailureCode::DestinationLocked)));
    let minutes = waited.as_secs() / 60;
    assert!((16..30).contains(&minutes), "{minutes} minutes");
}

#[test]
fn file_that_may_not_be_replaced_is_a_conflict_at_once() {
    let mut course = course(LARGE, ConflictPolicy::Fail);
    report(&mut course, Action::Open, Answer::Conflict);
    report(&mut course, Action::Look(Names::One(0)), Answer::Found(Seen::SameSize));
    assert_eq!(course.action(None), Action::End(End::Failed(FailureCode::DestinationConflict)));
}

fn opened(policy: ConflictPolicy) -> Course {
    let mut course = course(LARGE, policy);
    report(&mut course, Action::Open, Answer::Opened);
    course
}

#[test]
fn item_that_changes_under_a_fragment_gets_another_session_within_bounds() {
    let mut course = opened(ConflictPolicy::Replace);
    let mut sessions = 1;
    loop {
        match report_next(&mut course, |action| match action {
            Action::Send(_) => Answer::Conflict,
            Action::Look(_) => Answer::Found(Seen::Other),
            Action::Close => Answer::Closed { was_open: true },
            _ => Answer::Opened,
        }) {
            Action::Open => sessions += 1,
            Action::End(end) => {
                assert_eq!(end, End::Failed(FailureCode::DestinationLocked));
                break;
            }
            _ => {}
        }
        assert!(sessions < 20, "the upload does not end");
    }
    assert_eq!(sessions, docferry_domain::MAX_SESSIONS);
}

fn accepted(action: Action) -> Answer {
    let Action::Send(range) = action else { panic!("{action:?}") };
    Answer::Accepted { next: Some(Gap::open(range.end)), took: Duration::from_secs(1) }
}

/// Simulates a server that acknowledges every byte and then expects all of them again, over
/// any number of invocations.
#[test]
fn server_that_loses_every_byte_gets_the_document_three_times_at_most() {
    let policy = ConflictPolicy::Replace;
    for invocation_sends in [1, 2, 1000] {
        let (mut course, mut sent, mut sends) = (opened(policy), 0, 0);
        let mut kept = course.clone();
        let end = loop {
            let action = course.action(None);
            let answer = match action {
                Action::End(end) => break end,
                Action::Send(range) => {
                    sent += range.len();
                    sends += 1;
                    accepted(action)
                }
                Action::Ask => Answer::Stands(Some(Gap::open(0))),
                Action::Close => Answer::Closed { was_open: true },
                Action::Open => Answer::Opened,
                Action::Look(_) => Answer::Found(Seen::Nothing),
                Action::Hash { until } => Answer::Hashed(until),
                _ => panic!("{action:?}"),
            };
            if course.answered(action, answer) {
                kept = course.clone();
            }
            assert!(sent <= 3 * LARGE, "sent {sent} bytes");
            if matches!(action, Action::Send(_)) && sends % invocation_sends == 0 {
                course = resumed(&kept, policy, true);
            }
        };
        assert_eq!(end, End::Failed(FailureCode::DestinationIncomplete), "{invocation_sends}");
    }
}

/// Simulates a session that has every byte, names no missing one and never completes the
/// file.
#[test]
fn server_that_never_completes_gets_the_document_three_times_at_most() {
    for next_range in [None, Some(Gap::open(LARGE))] {
        let (mut course, mut sent) = (opened(ConflictPolicy::Replace), 0);
        let end = loop {
            let action = course.action(None);
            let answer = match action {
                Action::End(end) => break end,
                Action::Send(range) => {
                    sent += range.len();
                    accepted(action)
                }
                Action::Ask => Answer::Stands(next_range),
                Action::Close => Answer::Closed { was_open: true },
                Action::Open => Answer::Opened,
                _ => Answer::Found(Seen::Nothing),
            };
            let _durable = course.answered(action, answer);
            assert!(sent <= 3 * LARGE, "sent {sent} bytes");
        };
        assert_eq!(end, End::Failed(FailureCode::DestinationIncomplete));
    }
}

/// Acknowledging the same bytes again is no progress.
#[test]
fn only_a_new_maximum_of_acknowledged_bytes_resets_the_failures() {
    let mut course = Course::begin(5 * LARGE, rules(ConflictPolicy::Replace), None, false);
    report(&mut course, Action::Open, Answer::Opened);
    let first = report_next(&mut course, accepted);
    let Action::Send(first) = first else { panic!("{first:?}") };
    let mut failures = 0;
    let end = loop {
        let action = course.action(None);
        let answer = match action {
            Action::End(end) => break end,
            // The same fragment is acknowledged again each time.
            Action::Send(range) if range.start < first.end => accepted(action),
            Action::Send(_) => {
                failures += 1;
                Answer::Lost
            }
            Action::Ask => Answer::Stands(Some(Gap::open(first.end))),
            _ => panic!("{action:?}"),
        };
        let _durable = course.answered(action, answer);
        assert!(failures < 50, "the upload does not end");
    };
    assert_eq!(end, End::Failed(FailureCode::DestinationUnavailable));
    assert!(failures <= 7, "{failures} failures");
}

#[test]
fn fragment_ends_where_the_range_that_the_session_wants_ends() {
    let mut course = opened(ConflictPolicy::Replace);
    report_next(&mut course, |_| Answer::Lost);
    let gap = Gap { start: 100, end: Some(1000) };
    report(&mut course, Action::Ask, Answer::Stands(Some(gap)));
    report(&mut course, Action::Hash { until: 100 }, Answer::Hashed(100));
    let action = course.action(None);
    let Action::Send(range) = action else { panic!("{action:?}") };
    assert_eq!((range.start, range.end), (100, 1000));
    // The drive already has the bytes from the end of the gap to byte 5000.
    let took = Duration::from_secs(1);
    let _durable = course.answered(action, Answer::Accepted { next: Some(Gap::open(5000)), took });
    report(&mut course, Action::Ask, Answer::Stands(Some(Gap::open(5000))));
    report(&mut course, Action::Hash { until: 5000 }, Answer::Hashed(5000));
    let Action::Send(range) = course.action(None) else { panic!() };
    assert_eq!(range.start, 5000);
}

#[test]
fn pushes_of_others_use_up_no_session_and_the_source_is_named_in_the_end() {
    let policy = ConflictPolicy::Replace;
    let (mut course, mut renewals) = (opened(policy), 0);
    let end = loop {
        let action = course.action(None);
        let answer = match action {
            Action::End(end) => break end,
            Action::Send(_) => Answer::SourceChanged,
            Action::Close => Answer::Closed { was_open: true },
            Action::Renew => {
                renewals += 1;
                Answer::Renewed
            }
            Action::Look(_) => Answer::Found(Seen::Nothing),
            _ => Answer::Opened,
        };
        let _durable = course.answered(action, answer);
        if action == Action::Open {
            course = resumed(&course, policy, true);
            report_offset_zero(&mut course);
        }
        assert!(renewals <= MAX_RENEWALS, "{renewals} renewals");
    };
    assert_eq!(end, End::Failed(FailureCode::SourceChanged));
    assert_eq!(renewals, MAX_RENEWALS);
}

fn report_offset_zero(course: &mut Course) {
    report(course, Action::Ask, Answer::Stands(Some(Gap::open(0))));
}

#[test]
fn denied_look_is_repeated_before_the_credentials_are_blamed() {
    let mut course = opened(ConflictPolicy::Replace);
    report_next(&mut course, |_| Answer::Gone);
    let mut lookups = 0;
    while course.action(None) == Action::Look(Names::One(0)) {
        let denied = Answer::NotDone(FailureCode::DestinationUnauthorized);
        let _durable = course.answered(Action::Look(Names::One(0)), denied);
        lookups += 1;
    }
    assert!((3..20).contains(&lookups), "{lookups} lookups");
    let failed = End::Failed(FailureCode::DestinationUnauthorized);
    assert_eq!(course.action(None), Action::End(failed));
}
