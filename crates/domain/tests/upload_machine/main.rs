//! Model test of the upload's state machine. It runs the machine on a simulated drive with
//! random events in any order: crashes, duplicate and lost requests, partial fragments, expired
//! sessions, throttling, cancel requests and others. A reference checks each command.
//!
//! `DOCFERRY_MODEL_CASES` sets the number of cases; the default is 2,000.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod case;
mod drive;
mod run;

use case::{Case, Ended, Event, ForeignFile};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::{ConflictPolicy as Policy, GRANULE_BYTES, SMALL_FILE_BYTES};
use proptest::prelude::*;
use run::Run;

const MB: u64 = 1_000_000;

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::CrashBefore),
        Just(Event::CrashAfter),
        Just(Event::Duplicate),
        Just(Event::LoseResponse),
        (0_u64..=100).prop_map(Event::StorePart),
        Just(Event::ServerError),
        Just(Event::TimeOut),
        Just(Event::TakeEffectLate),
        Just(Event::ExpireSession),
        Just(Event::Throttle),
        Just(Event::Cancel),
        Just(Event::OmitRangeOrHash),
        Just(Event::WrongSize),
        Just(Event::SourceUnreadable),
        Just(Event::SourceChange),
        Just(Event::OutOfTime),
        Just(Event::PushOtherDocument),
        (1_u32..=6).prop_map(Event::HoldPath),
        Just(Event::RefuseUploadUrl),
        Just(Event::Conflict),
        Just(Event::OmitItem),
        Just(Event::LoseStoredBytes),
        Just(Event::StoreSecondHalf),
        (1_u32..=2).prop_map(Event::DelayHash),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let total = prop_oneof![
        0_u64..=SMALL_FILE_BYTES,
        SMALL_FILE_BYTES + 1..=12 * MB,
        (13_u64..=40).prop_map(|granules| granules * GRANULE_BYTES),
    ];
    let policy = prop_oneof![Just(Policy::Replace), Just(Policy::Rename), Just(Policy::Fail)];
    let events = proptest::collection::vec((0_u8..8, event()), 0..14);
    let foreign_file = prop_oneof![
        6 => Just(None),
        1 => Just(Some(ForeignFile::SameSize)),
        1 => Just(Some(ForeignFile::OtherSize)),
    ];
    (total, 1_u64..=12, policy, foreign_file, events).prop_map(
        |(total, granules, policy, foreign_file, events)| Case {
            total,
            largest_fragment: granules * GRANULE_BYTES,
            policy,
            foreign_file,
            events,
        },
    )
}

/// Runs a case to its end and checks the final state. Returns the outcome and the number of
/// bytes that the drive has received.
fn check(case: &Case) -> (Ended, u64) {
    let mut run = Run::new(case);
    let ended = run.execute();
    let contains = |wanted: Event| case.events.iter().any(|(_, event)| *event == wanted);
    let ours: Vec<_> = run.drive.files.values().filter(|file| file.is_ours).collect();
    // A PUT that takes effect after the next PUT replaces the file and creates no second file.
    assert!(
        ours.len() <= 1 || contains(Event::WrongSize) || contains(Event::SourceChange),
        "{ours:?}"
    );
    if ended == Ended::Delivered {
        assert!(
            ours.iter().any(|file| file.size == case.total && file.source.is_some()),
            "{ours:?}"
        );
    }
    if !matches!(case.policy, Policy::Replace) && case.foreign_file.is_some() {
        assert!(
            run.drive.files.values().any(|file| !file.is_ours),
            "a foreign file is overwritten"
        );
    }
    let is_refused = case.policy == Policy::Fail && case.foreign_file.is_some();
    if is_refused {
        assert_ne!(ended, Ended::Delivered);
    }
    // A session whose URL never arrived stays open until it expires.
    let orphans = run.drive.sessions.iter().filter(|session| session.open).count();
    let unknown_urls = case.events.iter().filter(|(_, event)| {
        matches!(
            event,
            Event::CrashAfter | Event::LoseResponse | Event::StorePart(_) | Event::RefuseUploadUrl
        )
    });
    assert!(orphans <= unknown_urls.count(), "{orphans} sessions are orphaned");
    // After a change of the source, the document that was delivered before causes a conflict.
    let conflicts_with_itself = case.policy == Policy::Fail && contains(Event::SourceChange);
    let can_be_delivered = !contains(Event::Cancel)
        && !contains(Event::WrongSize)
        && !contains(Event::PushOtherDocument)
        && !is_refused
        && !conflicts_with_itself;
    // After a third loss of acknowledged bytes the upload fails.
    let losses = case.events.iter().filter(|(_, event)| *event == Event::LoseStoredBytes).count();
    if can_be_delivered && case.events.len() <= 3 && losses < 3 {
        assert_eq!(ended, Ended::Delivered, "up to three faults are tolerated");
    }
    (ended, run.drive.received)
}

fn cases() -> ProptestConfig {
    #[expect(clippy::disallowed_methods, reason = "the number of test cases is not configuration")]
    let cases = std::env::var("DOCFERRY_MODEL_CASES").ok().and_then(|count| count.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(2000),
        // Shrunk failures become named tests below.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn upload_invariants_hold_for_any_order_of_faults(case in case()) {
        check(&case);
    }

    #[test]
    fn lost_responses_alone_cause_no_resent_byte(
        total in SMALL_FILE_BYTES + 1..=12 * MB,
        lost in proptest::collection::vec(2_u8..8, 0..5),
    ) {
        // The response to the first command is not lost, because its session would be replaced.
        let events = lost.into_iter().map(|steps_before| (steps_before, Event::LoseResponse)).collect();
        let case = Case { total, largest_fragment: 3 * GRANULE_BYTES, policy: Policy::Replace, foreign_file: None, events };
        prop_assert_eq!(check(&case), (Ended::Delivered, total));
    }

    #[test]
    fn small_put_with_a_lost_response_is_looked_up_and_not_repeated(
        total in 0..=SMALL_FILE_BYTES,
        steps_before in 0_u8..3,
        lost in prop_oneof![Just(Event::LoseResponse), Just(Event::CrashAfter)],
    ) {
        let events = vec![(steps_before, lost)];
        let case = Case { total, largest_fragment: GRANULE_BYTES, policy: Policy::Rename, foreign_file: None, events };
        prop_assert_eq!(check(&case), (Ended::Delivered, total));
    }
}

/// Returns the upload of a document of 20 granules that replaces a file. Each event has the
/// number of successful steps before it.
fn large(events: Vec<(u8, Event)>) -> Case {
    Case {
        total: 20 * GRANULE_BYTES,
        largest_fragment: 8 * GRANULE_BYTES,
        policy: Policy::Replace,
        foreign_file: None,
        events,
    }
}

#[test]
fn completed_file_of_another_size_fails_verification() {
    let case = large(vec![(3, Event::WrongSize)]);
    assert_eq!(check(&case).0, Ended::Failed(FailureCode::VerificationFailed));
}

/// The last fragment fails repeatedly, in the first session and in the one that replaces it
/// (fault F13 in `docs/SEMANTICS.md`).
#[test]
fn failing_last_fragment_gets_exactly_one_new_session() {
    let mut events = vec![(3, Event::ServerError)];
    events.extend([(1, Event::ServerError); 2]);
    // Successful steps follow: a status request, a close, an open, and fragments of half the
    // size.
    events.push((7, Event::ServerError));
    events.extend([(1, Event::ServerError); 2]);
    let mut run = Run::new(&large(events));

    let ended = run.execute();

    assert_eq!(run.drive.sessions.len(), 2);
    assert_eq!(ended, Ended::Delivered, "the next try of the workflow succeeds");
}

/// Regression: the new entity tag was recorded before the session with the old bytes was
/// closed. After a crash in between, the next invocation mixed bytes of both versions.
#[test]
fn source_change_before_a_crash_never_mixes_two_versions() {
    for crashes in 1..=3 {
        let mut events = vec![(2, Event::SourceChange)];
        events.extend(vec![(0, Event::CrashBefore); crashes]);
        assert_eq!(check(&large(events)).0, Ended::Delivered);
    }
}

/// Regression: after a conflict, a PUT under the next name followed without a checkpoint in
/// between.
#[test]
fn cancel_is_noticed_before_a_put_under_the_next_number() {
    let case = Case {
        total: 1,
        largest_fragment: GRANULE_BYTES,
        policy: Policy::Rename,
        foreign_file: Some(ForeignFile::OtherSize),
        events: vec![(1, Event::Cancel)],
    };
    let mut run = Run::new(&case);
    assert_eq!(run.execute(), Ended::Canceled);
    assert_eq!(run.drive.completions, 0);
}
