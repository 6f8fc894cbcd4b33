use docferry_app::ports::{StoreError, WriteError};
use docferry_domain::{Phase, Transfer};

use crate::Fault;

use super::change::{Change, number};
use super::items::{Item, read_transfer};

/// The phases in which a transfer still changes.
const LIVE: [&str; 4] = [
    Phase::Accepted.as_str(),
    Phase::Pushing.as_str(),
    Phase::AwaitingArrival.as_str(),
    Phase::Uploading.as_str(),
];

/// A change by anybody, while the transfer has not ended.
pub(super) fn running() -> Change {
    Change::default().when_one_of("phase", &LIVE)
}

/// A change by the present attempt, while the transfer has not ended.
pub(super) fn by_attempt(attempt: u32) -> Change {
    Change::default()
        .when("#attempt = :presentAttempt")
        .value("presentAttempt", number(attempt))
        .when_one_of("phase", &LIVE)
}

/// The same, but only in these phases.
pub(super) fn by_attempt_in(attempt: u32, phases: &[Phase]) -> Change {
    let names: Vec<_> = phases.iter().map(|phase| phase.as_str()).collect();
    Change::default()
        .when("#attempt = :presentAttempt")
        .value("presentAttempt", number(attempt))
        .when_one_of("phase", &names)
}

/// A change by the invocation that holds the upload, while it has not ended.
pub(super) fn by_epoch(epoch: u64) -> Change {
    Change::default()
        .when("#epoch = :presentEpoch")
        .value("presentEpoch", number(epoch))
        .when_one_of("phase", &LIVE)
}

/// And only while nobody is ending it.
pub(super) fn not_ending(change: Change) -> Change {
    change.when("attribute_not_exists(#ending)")
}

/// What refused a change of [`not_ending`].
pub(super) fn open(transfer: Transfer) -> Result<Transfer, WriteError> {
    if transfer.ending.is_some() { Err(WriteError::Ended) } else { Ok(transfer) }
}

/// What refused a change of [`by_attempt`]; the record when it was neither an end
/// nor a newer attempt.
pub(super) fn live(stood: Option<Item>, attempt: u32) -> Result<Transfer, WriteError> {
    let transfer = read_transfer(stood.ok_or(WriteError::NotFound)?)?;
    if transfer.attempt != attempt || transfer.phase.is_terminal() {
        return Err(WriteError::Ended);
    }
    Ok(transfer)
}

/// What refused a change of [`by_epoch`]; the record when the epoch still holds.
/// The end is looked at first: whoever is superseded in a transfer that has ended
/// need not run again.
pub(super) fn held(stood: Option<Item>, epoch: u64) -> Result<Transfer, WriteError> {
    let transfer = read_transfer(stood.ok_or(WriteError::NotFound)?)?;
    if transfer.phase.is_terminal() {
        return Err(WriteError::Ended);
    }
    if transfer.epoch != epoch {
        return Err(WriteError::Superseded);
    }
    Ok(transfer)
}

/// A condition failed and the item says nothing of why, again and again: somebody
/// else keeps changing it. Whoever asked may ask again.
pub(super) fn unsettled(call: &'static str) -> StoreError {
    StoreError::Unavailable(Box::new(Fault::new(call, "the item keeps changing")))
}
