//! Guards of DynamoDB writes: the conditions under which a transfer or batch may be changed.
//!
//! A *guard* is a [`ConditionalUpdate`] with conditions, to which the caller adds its changes. If
//! DynamoDB rejects the write, the `ensure_…` function of the guard derives the error from the
//! current item:
//!
//! | guard | condition | error |
//! |---|---|---|
//! | [`by_execution`] | the transfer is active, in this execution | [`ensure_active`] |
//! | [`by_epoch`] | the transfer is active, in this epoch | [`ensure_epoch`] |
//! | [`not_ending`] | no ending of the transfer has begun | [`ensure_not_ending`] |
//!
//! An *execution* is one run of the workflow for a transfer; the attribute `attempt` stores its
//! number. An *epoch* is the number of the invocation that owns the upload. A new invocation gets a
//! new epoch, so that older invocations cannot write any more.

use docferry_app::ports::{StoreError, WriteError};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::Transfer;

use crate::Fault;

use super::conditional_update::{ConditionalUpdate, number};
use super::items::read_transfer;
use super::keys::Item;

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

/// Guard: the transfer has not ended and `epoch` is its current epoch.
pub(super) fn by_epoch(epoch: u64) -> ConditionalUpdate {
    ConditionalUpdate::default()
        .when("#epoch = :presentEpoch")
        .value("presentEpoch", number(epoch))
        .when_one_of("phase", &ACTIVE_PHASES)
}

/// Adds the guard that no ending has begun. An ending begins when the reason for it is recorded.
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
/// guard holds. In that case, another condition of the write has failed.
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
/// holds. In that case, another condition of the write has failed.
///
/// # Errors
/// If the transfer is missing, has ended or has another epoch. An ended transfer with another epoch
/// is reported as ended, because no invocation of it has to run again.
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

/// Returns the error of a write that failed although the current item satisfies its conditions.
/// Other writers keep changing the item, so the caller may retry later.
pub(super) fn contention_error(call: &'static str) -> StoreError {
    StoreError::Unavailable(Box::new(Fault::new(call, "the item keeps changing")))
}
