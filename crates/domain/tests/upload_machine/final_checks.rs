//! Checks of the state after the end of an upload.

use docferry_domain::upload::ConflictPolicy as Policy;

use crate::case::Case;
use crate::drive::{Content, File};
use crate::fault::Fault;
use crate::run::{Outcome, Run};

/// Number of faults that an upload tolerates for certain.
const TOLERATED_FAULTS: usize = 3;
/// Number of times at which the loss of stored bytes may end the upload.
const FATAL_LOSSES_OF_BYTES: usize = 3;

/// Result of an upload that satisfied all checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CheckedUpload {
    pub(crate) outcome: Outcome,
    /// Number of bytes in all fragments and PUTs that the drive has received.
    pub(crate) received_bytes: u64,
}

/// Runs a case to its end. Checks each command and the final state.
pub(crate) fn run_and_check(case: &Case) -> CheckedUpload {
    let mut run = Run::new(case);
    let outcome = run.execute();
    check_files(case, &run, outcome);
    check_sessions(case, &run);
    check_outcome(case, outcome);
    CheckedUpload { outcome, received_bytes: run.drive.received_bytes }
}

/// Checks the files that the upload wrote, and the foreign file.
fn check_files(case: &Case, run: &Run, outcome: Outcome) {
    let written: Vec<&File> =
        run.drive.files.values().filter(|file| file.is_from_upload()).collect();
    // A PUT that takes effect after the next PUT replaces the file and creates no second file.
    let may_write_two_files =
        case.contains(Fault::FileOfWrongSize) || case.contains(Fault::SourceWrittenAgain);
    assert!(written.len() <= 1 || may_write_two_files, "two files are written: {written:?}");
    if outcome == Outcome::Delivered {
        let is_document =
            |file: &&File| file.size == case.total && matches!(file.content, Content::Version(_));
        assert!(written.iter().any(is_document), "the document is not delivered: {written:?}");
    }
    if case.policy != Policy::Replace && case.foreign_file.is_some() {
        let foreign_file_exists = run.drive.files.values().any(|file| !file.is_from_upload());
        assert!(foreign_file_exists, "a foreign file is overwritten");
    }
}

/// Checks that no session stays open, except those that the upload cannot close.
fn check_sessions(case: &Case, run: &Run) {
    let open = run.drive.sessions.iter().filter(|session| session.is_open).count();
    // After each of these faults, the upload may have no usable upload URL for a session.
    let unclosable = case.count(|fault| fault.loses_response() || fault == Fault::UploadUrlRefused);
    assert!(open <= unclosable, "{open} sessions are orphaned");
}

/// Checks that the upload delivers the document, if it can, and only if it may.
fn check_outcome(case: &Case, outcome: Outcome) {
    if case.is_forbidden() {
        assert_ne!(outcome, Outcome::Delivered, "the policy forbids the upload");
        return;
    }
    // After a change of the source, the document that was delivered before causes a conflict.
    let may_conflict_with_itself =
        case.policy == Policy::Fail && case.contains(Fault::SourceWrittenAgain);
    let losses_of_bytes = case.count(|fault| fault == Fault::StoredBytesLost);
    let may_fail = may_conflict_with_itself
        || losses_of_bytes >= FATAL_LOSSES_OF_BYTES
        || case.contains(Fault::CancelRequested)
        || case.contains(Fault::FileOfWrongSize)
        || case.contains(Fault::SourceReplacedByOtherDocument);
    if !may_fail && case.faults.len() <= TOLERATED_FAULTS {
        assert_eq!(outcome, Outcome::Delivered, "up to three faults are tolerated");
    }
}
