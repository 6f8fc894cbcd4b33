//! Guards of writes: the conditions under which a transfer may be changed, and the
//! interpretation of their failures.
//!
//! A guard returns a [`ConditionalUpdate`] with conditions. If a condition fails, the matching function
//! (`live` for executions, `held` for epochs, `open` for endings) derives the error from the
//! current item.

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

/// Guard: the transfer has not ended.
pub(super) fn running() -> ConditionalUpdate {
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

/// Interprets a failed change of [`not_ending`]: fails if an ending has begun.
pub(super) fn open(transfer: Transfer) -> Result<Transfer, WriteError> {
    if transfer.ending.is_some() { Err(WriteError::Ended) } else { Ok(transfer) }
}

/// Interprets a failed change of [`by_execution`]: fails if the transfer is missing, has ended or
/// has a newer execution. Otherwise another condition failed, and the record is returned.
pub(super) fn live(current: Option<Item>, execution_number: u32) -> Result<Transfer, WriteError> {
    let transfer = read_transfer(current.ok_or(WriteError::NotFound)?)?;
    if transfer.execution_number != execution_number || transfer.phase.is_terminal() {
        return Err(WriteError::Ended);
    }
    Ok(transfer)
}

/// Interprets a failed change of [`by_epoch`]: fails if the transfer is missing, has ended or
/// has a newer epoch. Otherwise another condition failed, and the record is returned.
///
/// The end is checked first: in an ended transfer, a superseded invocation need not run again.
pub(super) fn held(current: Option<Item>, epoch: u64) -> Result<Transfer, WriteError> {
    let transfer = read_transfer(current.ok_or(WriteError::NotFound)?)?;
    if transfer.phase.is_terminal() {
        return Err(WriteError::Ended);
    }
    if transfer.epoch != epoch {
        return Err(WriteError::Superseded);
    }
    Ok(transfer)
}

/// Error for a write whose condition failed although the current item would satisfy it: another
/// writer keeps changing the item. The caller may retry.
pub(super) fn contention_error(call: &'static str) -> StoreError {
    StoreError::Unavailable(Box::new(Fault::new(call, "the item keeps changing")))
}
