//! Step `poll`: checks whether the document has arrived in the exchange bucket after a push. The
//! workflow repeats the step until the document has arrived.
//!
//! A *push* is the request to the source to put the document into the bucket.
//! The *exchange key* is the name of the document's object in the bucket. Several documents may
//! have the same key, so an object under the key may belong to another document.

use docferry_domain::failure::FailureCode;
use docferry_domain::slots::Pool;
use docferry_domain::transfer::{
    ArrivalRules, ArrivalVerdict, ArrivedObject, Identity, Transfer, check_arrival, identify,
    proven_push,
};
use jiff::{SignedDuration, Timestamp};

use crate::ports::{
    Clock, ExchangeKeyStore, ExchangeStore, PushStore, SlotAdapters, TransferStore,
};
use crate::slots::scheduler::SlotScheduler;
use crate::slots::wait::release_slot;
use crate::task::{ensure_active, load};
use crate::{TaskError, TaskInput};

/// Time for which a transfer keeps its slot while it waits for its document. Most documents have
/// arrived at the first or second check.
const SLOT_HOLD_TIME: SignedDuration = SignedDuration::from_secs(10);

/// Shortest wait for other transfers, in seconds.
const MIN_WAIT_SECONDS: i64 = 1;

/// Longest wait for other transfers, in seconds.
const MAX_WAIT_SECONDS: i64 = 15;

/// The next wait for other transfers is the time waited so far, divided by this number.
const WAIT_DIVISOR: i64 = 4;

/// Result of a check. The workflow chooses its next state by this result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The document has arrived; continue with the delivery step of this pool.
    Arrived(Pool),
    /// Check again after a wait.
    Wait {
        /// Seconds to wait, at least 1.
        seconds: u32,
    },
    /// Push the document again before the next check. The exchange key has become free, or the
    /// object under it may be another document.
    PushAgain,
}

/// Checks once whether the document has arrived. The workflow waits between two checks.
///
/// An object is accepted only when no push of another document can have written it, because
/// neither the key nor the size of an object identifies its document.
///
/// # Errors
/// [`FailureCode::ArrivalTimeout`] or [`FailureCode::SourceSizeMismatch`] at the arrival deadline,
/// and the errors of the ports.
pub async fn poll<P: SlotAdapters<Store: PushStore + ExchangeKeyStore>>(
    scheduler: &SlotScheduler<'_, P>,
    exchange: &impl ExchangeStore,
    rules: ArrivalRules,
    task: &TaskInput,
) -> Result<Arrival, TaskError> {
    let (store, clock) = (scheduler.store, scheduler.clock);
    let transfer = load(store, task).await?;
    ensure_active(&transfer, task.execution_number, clock.now())?;
    if !transfer.needs_source() {
        return Ok(Arrival::Arrived(transfer.pool));
    }
    if transfer.needs_push() {
        return wait_for_key(scheduler, &transfer).await;
    }
    let source = transfer.source.as_ref().ok_or(FailureCode::Internal)?;
    let head = exchange.head(&source.key).await?;
    let verdict = check_arrival(source, head.as_ref(), clock.now(), rules);
    let arrived = head.filter(|_| verdict == ArrivalVerdict::Arrived);
    let timeout_code = match verdict {
        ArrivalVerdict::Ambiguous => return push_again(store, &transfer).await,
        ArrivalVerdict::Wait { seconds } => {
            if clock.now().duration_since(source.pushed_at) > SLOT_HOLD_TIME {
                release_slot(scheduler, &transfer).await;
            }
            return Ok(Arrival::Wait { seconds });
        }
        // The code is used below if the object is not there or not accepted.
        ArrivalVerdict::WrongSize => FailureCode::SourceSizeMismatch,
        ArrivalVerdict::NotArrived | ArrivalVerdict::Arrived => FailureCode::ArrivalTimeout,
    };
    // The pushes are read after the object's metadata, because a push that is announced later
    // cannot have written that object. The pushes in flight are read before the exchange key. A
    // push records its key before it withdraws its announcement, so one of these reads finds it.
    let in_flight = match &arrived {
        Some(_) => store.pushes_in_flight().await?,
        None => Vec::new(),
    };
    let exchange_key = store.exchange_key(&source.key).await?;
    let (guid, now) = (&transfer.object_guid, clock.now());
    // If this transfer's object is not there, any push under the key may have replaced it.
    let written_at = arrived.as_ref().map_or(Timestamp::MAX, |head| head.last_modified);
    let pushes = &exchange_key.outstanding;
    match identify(guid, source, written_at, pushes, &in_flight, now, rules.deadline) {
        Identity::Own => {
            let head = arrived.ok_or(timeout_code)?;
            let written_at = Some(head.last_modified);
            let object = ArrivedObject { etag: head.etag, arrived_at: now, written_at };
            store.record_arrival(&task.transfer_id, task.execution_number, &object).await?;
            if let Some(arrived_push) = proven_push(guid, pushes, &in_flight, now, rules.deadline) {
                store.remove_outstanding_push(&source.key, arrived_push).await?;
            }
            Ok(Arrival::Arrived(transfer.pool))
        }
        Identity::Unknown => {
            tracing::info!(transfer.id = task.transfer_id.as_str(), "object not identified yet");
            Ok(wait_for_others(scheduler, &transfer, source.pushed_at).await)
        }
        Identity::Lost => push_again(store, &transfer).await,
    }
}

/// Requests another push, because it is unknown which document the current object is.
async fn push_again(store: &impl TransferStore, transfer: &Transfer) -> Result<Arrival, TaskError> {
    tracing::info!(transfer.id = transfer.transfer_id.as_str(), "document pushed again");
    let push_again = true;
    store.discard_object(&transfer.transfer_id, transfer.epoch, push_again).await?;
    Ok(Arrival::PushAgain)
}

/// Claims the key that the last push named, as soon as no other document uses it.
async fn wait_for_key<P: SlotAdapters<Store: ExchangeKeyStore>>(
    scheduler: &SlotScheduler<'_, P>,
    transfer: &Transfer,
) -> Result<Arrival, TaskError> {
    let Transfer { transfer_id, execution_number, object_guid, .. } = transfer;
    let Some(key) = &transfer.known_key else { return Ok(Arrival::PushAgain) };
    let now = scheduler.clock.now();
    if scheduler.store.acquire_key(transfer_id, *execution_number, object_guid, key, now).await? {
        return Ok(Arrival::PushAgain);
    }
    Ok(wait_for_others(scheduler, transfer, transfer.started_at.unwrap_or(now)).await)
}

/// Releases the slot and asks the workflow to wait for other transfers. The next wait is longer the
/// longer the transfer has waited since `since`.
async fn wait_for_others<P: SlotAdapters>(
    scheduler: &SlotScheduler<'_, P>,
    transfer: &Transfer,
    since: Timestamp,
) -> Arrival {
    release_slot(scheduler, transfer).await;
    let waited = scheduler.clock.now().duration_since(since).as_secs();
    let seconds = (waited / WAIT_DIVISOR).clamp(MIN_WAIT_SECONDS, MAX_WAIT_SECONDS);
    Arrival::Wait { seconds: u32::try_from(seconds).unwrap_or(1) }
}
