//! Guards of DynamoDB writes: the conditions under which a transfer or batch may be changed.
//!
//! A guard is a [`ConditionalUpdate`] with conditions, to which the caller adds its changes. If
//! DynamoDB rejects the write, the `ensure_` function that matches the guard derives the error from
//! the current item: `ensure_active` for executions, `ensure_epoch` for epochs and
//! `ensure_not_ending` for endings. An execution is one run of the workflow for a transfer. Its
//! number is stored in the attribute `attempt`. An epoch is the fencing token of one invocation
//! that owns the upload.

use docferry_app::ports::{StoreError, WriteError};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::Transfer;

use crate::Fault;

use super::conditional_update::{ConditionalUpdate, number};
use super::items::{Item, read_transfer};

/// Phases that are not terminal.
const ACTIVE_PHASES: [&str; 4] = [
    Phase::Accepted.as_str(),
    Phase::Pushing.as_str(),
    Phase::AwaitingArrival.as_str(),
    Phase::Uploading.as_str(),
];

/// Guard: the transfer or batch has not ended.
pub(super) fn while_active() -> ConditionalUpdate {
    ConditionalUpdate::default().when_one_of("phase", &ACTIVE_PHASES)
}

/// Guard: the transfer has not ended and `execution_number` is its current execution.
pub(super) fn by_execution(execution_number: u32) -> ConditionalUpdate {
    ConditionalUpdate::default()
        .when("#attempt = :presentAttempt")
        .value("presentAttempt", number(execution_number))
        .when_one_of("phase", &ACTIVE_PHASES)
}

/// Guard: `execution_number` is the current execution and the transfer is in one of these phases.
pub(super) fn by_execution_in(execution_number: u32, phases: &[Phase]) -> ConditionalUpdate {
    let names: Vec<_> = phases.iter().map(|phase| phase.as_str()).collect();
    ConditionalUpdate::default()
        .when("#attempt = :presentAttempt")
        .value("presentAttempt", number(execution_number))
        .when_one_of("phase", &names)
}

/// Guard: the transfer has not ended and `epoch` is the fencing token of the invocation that
/// owns the upload.
pub(super) fn by_epoch(epoch: u64) -> ConditionalUpdate {
    ConditionalUpdate::default()
        .when("#epoch = :presentEpoch")
        .value("presentEpoch", number(epoch))
        .when_one_of("phase", &ACTIVE_PHASES)
}

/// Adds the guard that no ending has begun.
pub(super) fn not_ending(change: ConditionalUpdate) -> ConditionalUpdate {
    change.when("attribute_not_exists(#ending)")
}

/// Interprets the failure of a write with the guard [`not_ending`].
///
/// # Errors
/// [`WriteError::Ended`] if an ending has begun.
pub(super) fn ensure_not_ending(transfer: Transfer) -> Result<Transfer, WriteError> {
    if transfer.ending.is_some() { Err(WriteError::Ended) } else { Ok(transfer) }
}

/// Interprets the failure of a write with the guard [`by_execution`]. Returns the transfer if the
/// guard holds, which means that another condition of the write failed.
///
/// # Errors
/// If the transfer is missing, has ended or has another execution.
pub(super) fn ensure_active(
    current: Option<Item>,
    execution_number: u32,
) -> Result<Transfer, WriteError> {
    let transfer = read_transfer(current.ok_or(WriteError::NotFound)?)?;
    if transfer.execution_number != execution_number || transfer.phase.is_terminal() {
        return Err(WriteError::Ended);
    }
    Ok(transfer)
}

/// Interprets the failure of a write with the guard [`by_epoch`]. Returns the transfer if the guard
/// holds, which means that another condition of the write failed.
///
/// # Errors
/// If the transfer is missing, has ended or has another epoch. The end is checked before the epoch,
/// because an invocation with an old epoch need not run again if the transfer has ended.
pub(super) fn ensure_epoch(current: Option<Item>, epoch: u64) -> Result<Transfer, WriteError> {
    let transfer = read_transfer(current.ok_or(WriteError::NotFound)?)?;
    if transfer.phase.is_terminal() {
        return Err(WriteError::Ended);
    }
    if transfer.epoch != epoch {
        return Err(WriteError::Superseded);
    }
    Ok(transfer)
}

/// Error for a write whose condition failed although the current item satisfies the condition:
/// another writer keeps changing the item. The caller may retry.
pub(super) fn contention_error(call: &'static str) -> StoreError {
    StoreError::Unavailable(Box::new(Fault::new(call, "the item keeps changing")))
}
