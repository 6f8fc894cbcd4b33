//! Creation of a transfer, which delivers one document. A request records the transfer and returns
//! it at once; the workflow of the transfer starts when the transfer has a slot.

use docferry_domain::ids::TransferId;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::transfer::{NewTransfer, Transfer};
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Clock, SlotAdapters};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;
use crate::{TaskError, trace};

/// Time limits of a new transfer.
#[derive(Debug, Clone, Copy)]
pub struct InitiateSettings {
    /// Maximum time from the request to a terminal state.
    pub transfer_deadline: SignedDuration,
    /// Retention of the record of an ended transfer.
    pub record_ttl: SignedDuration,
}

/// Records a transfer and grants free slots, possibly to this transfer.
///
/// The transfer is accepted when its record is written, before its workflow is started. If no slot
/// is free, the transfer waits in the queue. If the workflow cannot be started, the sweeper starts
/// it within minutes.
///
/// # Errors
/// [`FailureCode::StoreUnavailable`](docferry_domain::failure::FailureCode::StoreUnavailable) when
/// the transfer is not accepted. The transfer may still run if only the store's response was lost.
pub async fn initiate<P: SlotAdapters>(
    scheduler: &SlotScheduler<'_, P>,
    settings: InitiateSettings,
    new: NewTransfer,
) -> Result<Transfer, TaskError> {
    let now = scheduler.clock.now();
    let transfer = new_transfer(settings, new_id(now), new, now);
    scheduler.create_transfer(&transfer, None).await?;
    Ok(transfer)
}

/// Creates a transfer with the current trace and its deadline.
pub(crate) fn new_transfer(
    settings: InitiateSettings,
    id: TransferId,
    new: NewTransfer,
    now: Timestamp,
) -> Transfer {
    let spec = JobSpec { trace: trace::current(), ..new.spec };
    let deadline = saturating_add(now, settings.transfer_deadline);
    Transfer::new(id, NewTransfer { spec, ..new }, now, deadline)
}

/// Creates a time-ordered transfer id (UUID version 7), so that ids of one day sort together.
#[must_use]
pub fn new_id(now: Timestamp) -> TransferId {
    TransferId::from_u128(time_ordered(now))
}

/// Creates a time-ordered batch id.
#[must_use]
pub fn new_batch_id(now: Timestamp) -> TransferId {
    TransferId::of_batch(time_ordered(now))
}

fn time_ordered(now: Timestamp) -> u128 {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    let time = uuid::Timestamp::from_unix_time(seconds, nanos, 0, 0);
    uuid::Uuid::new_v7(time).as_u128()
}
