//! Step `poll`: checks whether the document has arrived in the exchange bucket.

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

/// Time after which a transfer releases its slot while it waits for its document. Most
/// documents have arrived at the first or second check.
const SHORT_ARRIVAL: SignedDuration = SignedDuration::from_secs(10);

/// Result of a check; the workflow chooses its next state by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The document has arrived; continue with the delivery step of this pool.
    Arrived(Pool),
    /// Check again after a wait.
    Wait {
        /// Seconds to wait, at least 1.
        seconds: u32,
    },
    /// Push again, then check again: the exchange key has become free, or the object under it
    /// may be another document.
    PushAgain,
}

/// Checks once whether the document has arrived. Waiting between two checks is up to the
/// workflow.
///
/// An object is accepted only when no push of another document can have written it: neither its
/// key nor its size identifies the document.
///
/// # Errors
/// [`FailureCode::ArrivalTimeout`] or [`FailureCode::SourceSizeMismatch`] at the arrival
/// deadline; otherwise the errors of the ports.
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
            if clock.now().duration_since(source.pushed_at) > SHORT_ARRIVAL {
                release_slot(scheduler, &transfer).await;
            }
            return Ok(Arrival::Wait { seconds });
        }
        ArrivalVerdict::WrongSize => FailureCode::SourceSizeMismatch,
        ArrivalVerdict::NotArrived | ArrivalVerdict::Arrived => FailureCode::ArrivalTimeout,
    };
    // Read after the object's metadata: a push that is announced later cannot have written the
    // object. A push records its key before its announcement is withdrawn, so it is seen in one
    // of the two reads.
    let in_flight = match &arrived {
        Some(_) => store.pushes_in_flight().await?,
        None => Vec::new(),
    };
    let key = store.exchange_key(&source.key).await?;
    let (guid, now) = (&transfer.object_guid, clock.now());
    // Without an object of this transfer, any push under the key may have replaced it.
    let written_at = arrived.as_ref().map_or(Timestamp::MAX, |head| head.last_modified);
    let pushes = &key.outstanding;
    match identify(guid, source, written_at, pushes, &in_flight, now, rules.deadline) {
        Identity::Own => {
            let head = arrived.ok_or(timeout_code)?;
            let written_at = Some(head.last_modified);
            let object = ArrivedObject { etag: head.etag, arrived_at: now, written_at };
            store.record_arrival(&task.transfer_id, task.execution_number, &object).await?;
            if let Some(seen) = proven_push(guid, pushes, &in_flight, now, rules.deadline) {
                store.remove_outstanding_push(&source.key, seen).await?;
            }
            Ok(Arrival::Arrived(transfer.pool))
        }
        Identity::Unknown => {
            tracing::info!(transfer.id = task.transfer_id.as_str(), "object not identified yet");
            Ok(wait(scheduler, &transfer, source.pushed_at).await)
        }
        Identity::Lost => push_again(store, &transfer).await,
    }
}

/// Requests another push, because the origin of the object is unknown otherwise.
async fn push_again(store: &impl TransferStore, transfer: &Transfer) -> Result<Arrival, TaskError> {
    tracing::info!(transfer.id = transfer.transfer_id.as_str(), "document pushed again");
    store.discard_object(&transfer.transfer_id, transfer.epoch, true).await?;
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
    Ok(wait(scheduler, transfer, transfer.started_at.unwrap_or(now)).await)
}

/// Releases the slot and waits for other transfers. The wait grows with the time already
/// waited.
async fn wait<P: SlotAdapters>(
    scheduler: &SlotScheduler<'_, P>,
    transfer: &Transfer,
    since: Timestamp,
) -> Arrival {
    release_slot(scheduler, transfer).await;
    let waited = scheduler.clock.now().duration_since(since).as_secs();
    Arrival::Wait { seconds: u32::try_from((waited / 4).clamp(1, 15)).unwrap_or(1) }
}
