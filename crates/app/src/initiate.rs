//! A caller asks for a document: record it, let it go when it is its turn, answer
//! with an id.

use docferry_domain::{NewTransfer, Transfer, TransferId};
use jiff::{SignedDuration, Timestamp};

use crate::admit::Admitter;
use crate::ports::{Clock, SlotStore, TransferStore, Workflow};
use crate::{TaskError, trace};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct InitiateSettings {
    /// From the request to a terminal state, at most.
    pub transfer_deadline: SignedDuration,
    /// How long an ended record is kept.
    pub record_ttl: SignedDuration,
}

/// Records a transfer and admits who is next, which may be this one.
///
/// The record is written first, so that no workflow ever runs without one. From
/// then on the transfer is promised: a workflow that cannot be started now is
/// started by `sweep` within minutes, one that has to wait when a slot is free.
///
/// # Errors
/// [`FailureCode::StoreUnavailable`](docferry_domain::FailureCode::StoreUnavailable):
/// nothing is promised. A record whose answer was lost may be carried out all the
/// same.
pub async fn initiate<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    settings: InitiateSettings,
    new: NewTransfer,
) -> Result<Transfer, TaskError>
where
    S: TransferStore + SlotStore,
    W: Workflow,
    C: Clock,
{
    let now = admitter.clock.now();
    let transfer = new_transfer(settings, new_id(now), new, now);
    admitter.enter(&transfer, None).await?;
    Ok(transfer)
}

/// A transfer of the current trace that has to end by its deadline.
pub(crate) fn new_transfer(
    settings: InitiateSettings,
    id: TransferId,
    new: NewTransfer,
    now: Timestamp,
) -> Transfer {
    let made = Transfer::new(id, new, now, later(now, settings.transfer_deadline));
    Transfer { trace: trace::current(), ..made }
}

/// Time-ordered (UUID version 7), so that ids of one day lie together.
#[must_use]
pub fn new_id(now: Timestamp) -> TransferId {
    TransferId::from_u128(time_ordered(now))
}

/// The same for a bundle.
#[must_use]
pub fn new_bundle_id(now: Timestamp) -> TransferId {
    TransferId::of_bundle(time_ordered(now))
}

fn time_ordered(now: Timestamp) -> u128 {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    let time = uuid::Timestamp::from_unix_time(seconds, nanos, 0, 0);
    uuid::Uuid::new_v7(time).as_u128()
}

/// `time + duration`, or the end of time.
pub(crate) fn later(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}
