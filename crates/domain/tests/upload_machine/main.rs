//! Model test of the state machine that decides the commands of an upload to OneDrive
//! (`docferry_domain::upload::UploadMachine`).
//!
//! In production, the use case `upload` carries out each *command* of the machine: it opens an
//! upload session, sends a fragment, and so on. Then it reports the result to the machine as a
//! *drive event* (`DriveEvent`), for example "fragment accepted" or "session gone". This test
//! does the same with a simulated drive, a simulated source and a simulated workflow:
//!
//! - The *drive* stores only numbers: its files, and how many bytes each session has.
//! - The *source* is the document to upload. It has a version, which increases when the document
//!   is written again. The upload records the entity tag of one version and reads only that one.
//! - An *invocation* is one call of the function that uploads. It begins with a new machine,
//!   which knows only the stored checkpoint and whether an upload URL is stored. The *workflow*
//!   starts invocations until the upload ends.
//! - A *fault* is an event that disturbs one command, for example a crash, a lost response or an
//!   expired session. Most tests choose the faults and their places at random.
//!
//! During the upload, a reference checks that each command is allowed (`run/reference.rs`). After
//! the upload, other checks inspect the outcome and the drive (`final_checks.rs`).
//!
//! | file | content |
//! |---|---|
//! | `fault.rs` | all faults |
//! | `case.rs` | test cases: a document, its destination, and faults |
//! | `drive.rs` | the simulated drive |
//! | `run.rs` | one test case: its state, and the workflow |
//! | `run/invocation.rs` | one invocation: the loop over the commands |
//! | `run/perform.rs` | one command with its fault |
//! | `run/apply.rs` | the effect of each command |
//! | `run/reference.rs` | the checks of each command |
//! | `final_checks.rs` | the checks after the upload |
//!
//! `DOCFERRY_MODEL_CASES` sets the number of random cases of each test; the default is 2,000.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod case;
mod drive;
mod fault;
mod final_checks;
mod run;

use case::{Case, ForeignFile, MB, any_case};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::{ConflictPolicy as Policy, GRANULE_BYTES, SMALL_FILE_BYTES};
use fault::{Fault, PlannedFault, after};
use final_checks::{CheckedUpload, run_and_check};
use proptest::prelude::*;
use run::{Outcome, Run};

fn config() -> ProptestConfig {
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
    #![proptest_config(config())]

    #[test]
    fn upload_invariants_hold_for_any_order_of_faults(case in any_case()) {
        run_and_check(&case);
    }

    #[test]
    fn lost_responses_alone_cause_no_resent_byte(
        total in SMALL_FILE_BYTES + 1..=12 * MB,
        // The first two commands open the session and send a fragment. The response to the first
        // is not lost, because the upload would open another session.
        places in proptest::collection::vec(2_u8..8, 0..5),
    ) {
        let case = Case {
            total,
            largest_fragment: 3 * GRANULE_BYTES,
            policy: Policy::Replace,
            foreign_file: None,
            faults: places.into_iter().map(|place| after(place, Fault::ResponseLost)).collect(),
        };
        let delivered_once = CheckedUpload { outcome: Outcome::Delivered, received_bytes: total };
        prop_assert_eq!(run_and_check(&case), delivered_once);
    }

    #[test]
    fn small_put_with_a_lost_response_is_looked_up_and_not_repeated(
        total in 0..=SMALL_FILE_BYTES,
        place in 0_u8..3,
        fault in prop_oneof![Just(Fault::ResponseLost), Just(Fault::CrashBeforeResponse)],
    ) {
        let case = Case {
            total,
            largest_fragment: GRANULE_BYTES,
            policy: Policy::Rename,
            foreign_file: None,
            faults: vec![after(place, fault)],
        };
        let delivered_once = CheckedUpload { outcome: Outcome::Delivered, received_bytes: total };
        prop_assert_eq!(run_and_check(&case), delivered_once);
    }
}

/// Returns the upload of a document of 20 granules, in fragments of up to 8 granules.
fn large(faults: Vec<PlannedFault>) -> Case {
    Case {
        total: 20 * GRANULE_BYTES,
        largest_fragment: 8 * GRANULE_BYTES,
        policy: Policy::Replace,
        foreign_file: None,
        faults,
    }
}

#[test]
fn completed_file_of_another_size_fails_verification() {
    let case = large(vec![after(3, Fault::FileOfWrongSize)]);
    let failure = Outcome::Failed(FailureCode::VerificationFailed);
    assert_eq!(run_and_check(&case).outcome, failure);
}

/// The last fragment fails three times in the first session, and three times in the session that
/// replaces it (fault F13 in `docs/SEMANTICS.md`).
#[test]
fn failing_last_fragment_gets_exactly_one_new_session() {
    let case = large(vec![
        after(3, Fault::ServerError),
        // A status query precedes each new try.
        after(1, Fault::ServerError),
        after(1, Fault::ServerError),
        // A status query, a close, an open, and fragments of half the size precede the last
        // fragment in the new session.
        after(7, Fault::ServerError),
        after(1, Fault::ServerError),
        after(1, Fault::ServerError),
    ]);
    let mut run = Run::new(&case);

    let outcome = run.execute();

    assert_eq!(run.drive.sessions.len(), 2);
    assert_eq!(outcome, Outcome::Delivered, "the next try of the workflow succeeds");
}

/// Regression: the new entity tag was recorded before the session with the old bytes was
/// closed. After a crash in between, the next invocation mixed bytes of both versions.
#[test]
fn source_change_before_a_crash_never_mixes_two_versions() {
    for crashes in 1..=3 {
        let mut faults = vec![after(2, Fault::SourceWrittenAgain)];
        faults.extend(vec![after(0, Fault::CrashBeforeCommand); crashes]);
        assert_eq!(run_and_check(&large(faults)).outcome, Outcome::Delivered);
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
        // The first command loads the document, and the second is the PUT.
        faults: vec![after(1, Fault::CancelRequested)],
    };
    let mut run = Run::new(&case);
    assert_eq!(run.execute(), Outcome::Canceled);
    assert_eq!(run.drive.written_files, 0);
}
