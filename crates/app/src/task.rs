//! Input and error of a workflow step, and the check that every step makes before it continues.
//!
//! A workflow step is a Lambda function of the Step Functions workflow of one transfer, such as
//! `push`, `poll`, `upload` and `finalize`. The error types of the ports convert to [`TaskError`],
//! whose code the workflow matches.

use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use crate::ports::{
    ArtifactError, Cause, DirectoryError, DriveError, ExchangeError, QueueError, SealError,
    SourceError, StoreError, TransferStore, WorkflowError, WriteError,
};
use crate::trace::set_current;

/// Input of every workflow step; all other data is read from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskInput {
    /// Id of the transfer.
    pub transfer_id: TransferId,
    /// Number of the execution that runs the step.
    pub execution_number: u32,
}

/// Failure of a step. The code decides whether the workflow retries the step or goes to
/// `finalize`.
#[derive(Debug, thiserror::Error)]
#[error("{code}")]
pub struct TaskError {
    /// Failure code, which is the error name that the workflow matches.
    pub code: FailureCode,
    /// Cause for the function's log. It is not part of the workflow's error.
    #[source]
    pub cause: Option<Cause>,
}

impl TaskError {
    fn because(code: FailureCode, cause: impl Into<Cause>) -> Self {
        Self { code, cause: Some(cause.into()) }
    }
}

impl From<FailureCode> for TaskError {
    fn from(code: FailureCode) -> Self {
        Self { code, cause: None }
    }
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Unavailable(_) => FailureCode::StoreUnavailable,
            StoreError::Corrupt(_) => FailureCode::Internal,
        };
        Self::because(code, error)
    }
}

impl From<WriteError> for TaskError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Ended => FailureCode::AlreadyEnded.into(),
            WriteError::Superseded => FailureCode::Superseded.into(),
            WriteError::NotFound => Self::because(FailureCode::Internal, error),
            WriteError::Store(error) => error.into(),
        }
    }
}

impl From<SourceError> for TaskError {
    fn from(error: SourceError) -> Self {
        let code = match &error {
            SourceError::Unavailable(_) => FailureCode::SourceUnavailable,
            SourceError::InvalidAnswer => FailureCode::SourceInvalidAnswer,
            SourceError::NotFound => FailureCode::SourceNotFound,
            SourceError::Refused => FailureCode::SourceRefused,
            SourceError::Unauthorized => FailureCode::SourceUnauthorized,
        };
        Self::because(code, error)
    }
}

impl From<ExchangeError> for TaskError {
    fn from(error: ExchangeError) -> Self {
        let code = match &error {
            ExchangeError::Unavailable(_) => FailureCode::ExchangeUnavailable,
            ExchangeError::Changed => FailureCode::SourceChanged,
            ExchangeError::Gone => FailureCode::SourceGone,
            ExchangeError::Unauthorized => FailureCode::ExchangeUnauthorized,
        };
        Self::because(code, error)
    }
}

impl TaskError {
    /// Returns the failure code of a drive error.
    pub(crate) const fn code_of(error: &DriveError) -> FailureCode {
        match error {
            DriveError::Throttled { .. }
            | DriveError::Ambiguous(_)
            | DriveError::OffsetMismatch
            | DriveError::SessionGone => FailureCode::DestinationUnavailable,
            DriveError::NoEffect { final_code, .. } => *final_code,
            DriveError::Body => FailureCode::ExchangeUnavailable,
            DriveError::Conflict => FailureCode::DestinationConflict,
            DriveError::Locked => FailureCode::DestinationLocked,
            DriveError::QuotaExceeded => FailureCode::QuotaExceeded,
            DriveError::Refused { .. } => FailureCode::DestinationRefused,
            DriveError::RecipientNotFound => FailureCode::RecipientNotFound,
            DriveError::DriveNotProvisioned => FailureCode::DriveNotProvisioned,
            DriveError::Unauthorized { .. } => FailureCode::DestinationUnauthorized,
        }
    }
}

impl From<DriveError> for TaskError {
    fn from(error: DriveError) -> Self {
        Self::because(Self::code_of(&error), error)
    }
}

impl From<DirectoryError> for TaskError {
    fn from(error: DirectoryError) -> Self {
        Self::because(FailureCode::DestinationUnavailable, error)
    }
}

impl From<ArtifactError> for TaskError {
    fn from(error: ArtifactError) -> Self {
        Self::because(FailureCode::DeliveryUnavailable, error)
    }
}

impl From<SealError> for TaskError {
    fn from(error: SealError) -> Self {
        Self::because(FailureCode::StoreUnavailable, error)
    }
}

impl From<QueueError> for TaskError {
    fn from(error: QueueError) -> Self {
        Self::because(FailureCode::StoreUnavailable, error)
    }
}

impl From<WorkflowError> for TaskError {
    fn from(error: WorkflowError) -> Self {
        Self::because(FailureCode::WorkflowUnavailable, error)
    }
}

/// Loads the record of the step's transfer, and makes its trace the current trace.
pub(crate) async fn load(
    store: &impl TransferStore,
    task: &TaskInput,
) -> Result<Transfer, TaskError> {
    let transfer = store.get(&task.transfer_id).await?.ok_or(WriteError::NotFound)?;
    set_current(transfer.spec.trace.as_ref());
    Ok(transfer)
}

/// Checks that a step may continue.
///
/// # Errors
/// [`FailureCode::AlreadyEnded`] if the transfer has ended or has a newer execution,
/// [`FailureCode::Canceled`] if a cancel was requested, and [`FailureCode::DeadlineExceeded`] if
/// the transfer's deadline has passed.
pub(crate) fn ensure_active(
    transfer: &Transfer,
    execution_number: u32,
    now: Timestamp,
) -> Result<(), FailureCode> {
    if transfer.phase.is_terminal() || transfer.execution_number != execution_number {
        Err(FailureCode::AlreadyEnded)
    } else if transfer.cancel_requested {
        Err(FailureCode::Canceled)
    } else if now >= transfer.must_end_by() {
        Err(FailureCode::DeadlineExceeded)
    } else {
        Ok(())
    }
}
