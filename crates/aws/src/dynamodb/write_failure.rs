//! Failures of writes, and the translation of the errors of DynamoDB.

use aws_sdk_dynamodb::types::CancellationReason;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use docferry_app::ports::StoreError;

use super::keys::Item;
use crate::Fault;

/// Failure of a write. `S` is the current state that DynamoDB returns if a condition failed.
#[derive(Debug)]
pub(super) enum WriteFailure<S> {
    /// A condition did not hold. Contains the current state.
    Condition(S),
    /// A concurrent transaction was writing the item. Nothing was written.
    Conflict(Fault),
    /// DynamoDB throttled the table and canceled the transaction. Nothing was written.
    Throttled(Fault),
    /// The call failed for another reason. The write may have been applied.
    Unavailable(Fault),
}

impl<S> WriteFailure<S> {
    /// Returns the current state if a condition failed.
    ///
    /// # Errors
    /// If the write failed for a reason other than its conditions.
    pub(super) fn current_item(self) -> Result<S, StoreError> {
        match self {
            Self::Condition(current) => Ok(current),
            Self::Conflict(fault) | Self::Throttled(fault) | Self::Unavailable(fault) => {
                Err(StoreError::Unavailable(Box::new(fault)))
            }
        }
    }

    /// Classifies an error of the SDK.
    pub(super) fn of<E: ProvideErrorMetadata>(
        call: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self {
        let fault = Fault::of(call, error);
        // The SDK does not retry conflicts, so `Table` retries them.
        if error.code() == Some("TransactionConflictException") {
            Self::Conflict(fault)
        } else {
            Self::Unavailable(fault)
        }
    }
}

/// Result of the condition of one action in a canceled transaction.
#[derive(Debug)]
pub(super) enum ConditionResult {
    /// The condition held, or the action had no condition.
    Held,
    /// The condition failed. Contains the current item, if it exists.
    Failed(Option<Item>),
}

/// Returns whether the same write may succeed a moment later. The SDK never retries a canceled
/// transaction, even if throttling was the reason.
pub(super) fn is_transient<S>(failure: &WriteFailure<S>) -> bool {
    matches!(failure, WriteFailure::Conflict(_) | WriteFailure::Throttled(_))
}

/// Derives the failure of a canceled transaction from its cancellation reasons. Conflicts and
/// throttling take precedence over failed conditions, because a retry may then succeed.
pub(super) fn classify_cancellation(
    reasons: &[CancellationReason],
) -> WriteFailure<Vec<ConditionResult>> {
    const CALL: &str = "DynamoDB TransactWriteItems";
    let mut checks = Vec::with_capacity(reasons.len());
    let (mut throttling, mut unexpected) = (None, None);
    for reason in reasons {
        match reason.code() {
            None | Some("None") => checks.push(ConditionResult::Held),
            Some("ConditionalCheckFailed") => {
                checks.push(ConditionResult::Failed(reason.item.clone()));
            }
            Some("TransactionConflict") => {
                return WriteFailure::Conflict(Fault::new(CALL, "TransactionConflict"));
            }
            Some(code @ ("ThrottlingError" | "ProvisionedThroughputExceeded")) => {
                throttling = Some(Fault::with_code(CALL, code));
            }
            Some(code) => unexpected = Some(Fault::with_code(CALL, code)),
        }
    }
    match (unexpected, throttling) {
        (Some(fault), _) => WriteFailure::Unavailable(fault),
        (None, Some(fault)) => WriteFailure::Throttled(fault),
        (None, None) => WriteFailure::Condition(checks),
    }
}
