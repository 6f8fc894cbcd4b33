//! Looks whether the document has arrived in the exchange bucket.

use docferry_domain::{
    ArrivalRules, ArrivalVerdict, ArrivedObject, FailureCode, Identity, Pool, Transfer, identify,
    judge_arrival, seen_push,
};
use jiff::{SignedDuration, Timestamp};

use crate::admit::Admitter;
use crate::ports::{Clock, SlotStore, Staging, TransferStore, Workflow};
use crate::task::{admit, load};
use crate::turn::step_aside;
use crate::{TaskError, TaskInput};

/// A document that takes longer than this to arrive waits without a slot. Most are
/// there at the first look or the second.
const SHORT_ARRIVAL: SignedDuration = SignedDuration::from_secs(10);

/// What the workflow does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Go on to where it is delivered.
    Arrived(Pool),
    /// Look again after so many seconds.
    Wait {
        /// At least 1.
        seconds: u32,
    },
    /// Push once more, then look again: the exchange key has become free, or the object
    /// under it may be another document.
    PushAgain,
}

/// Looks once. The wait between two looks is the workflow's, not the function's.
///
/// An object is accepted only when no push of another document can have brought it:
/// neither its key nor its size says which document it is.
///
/// # Errors
/// [`FailureCode::ArrivalTimeout`] or [`FailureCode::SourceSizeMismatch`] at the
/// deadline; others as the ports fail.
pub async fn poll<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    staging: &impl Staging,
    rules: ArrivalRules,
    task: &TaskInput,
) -> Result<Arrival, TaskError>
where
    S: TransferStore + SlotStore,
    W: Workflow,
    C: Clock,
{
    let (store, clock) = (admitter.store, admitter.clock);
    let transfer = load(store, task).await?;
    admit(&transfer, task.attempt, clock.now())?;
    if !transfer.needs_source() {
        return Ok(Arrival::Arrived(transfer.pool));
    }
    if transfer.needs_push() {
        return wait_for_key(admitter, &transfer).await;
    }
    let source = transfer.source.as_ref().ok_or(FailureCode::Internal)?;
    let head = staging.head(&source.key).await?;
    let verdict = judge_arrival(source, head.as_ref(), clock.now(), rules);
    let arrived = head.filter(|_| verdict == ArrivalVerdict::Arrived);
    let late = match verdict {
        ArrivalVerdict::Ambiguous => return push_again(store, &transfer).await,
        ArrivalVerdict::Wait { seconds } => {
            if clock.now().duration_since(source.pushed_at) > SHORT_ARRIVAL {
                step_aside(admitter, &transfer).await;
            }
            return Ok(Arrival::Wait { seconds });
        }
        ArrivalVerdict::WrongSize => FailureCode::SourceSizeMismatch,
        ArrivalVerdict::NeverCame | ArrivalVerdict::Arrived => FailureCode::ArrivalTimeout,
    };
    // After the look at the object: a push that is announced later cannot have brought it.
    // Its key is recorded before its announcement is withdrawn, so it is seen in one of
    // the two reads.
    let in_flight = match &arrived {
        Some(_) => store.pushes_in_flight().await?,
        None => Vec::new(),
    };
    let key = store.exchange_key(&source.key).await?;
    let (guid, now) = (&transfer.object_guid, clock.now());
    // Without an object of its own, any push under the key may have taken its place.
    let written_at = arrived.as_ref().map_or(Timestamp::MAX, |head| head.last_modified);
    let pushes = &key.outstanding;
    match identify(guid, source, written_at, pushes, &in_flight, now, rules.deadline) {
        Identity::Own => {
            let head = arrived.ok_or(late)?;
            let written_at = Some(head.last_modified);
            let object = ArrivedObject { etag: head.etag, arrived_at: now, written_at };
            store.record_arrival(&task.transfer_id, task.attempt, &object).await?;
            if let Some(seen) = seen_push(guid, pushes, &in_flight, now, rules.deadline) {
                store.push_seen(&source.key, seen).await?;
            }
            Ok(Arrival::Arrived(transfer.pool))
        }
        Identity::Unknown => {
            tracing::info!(transfer.id = task.transfer_id.as_str(), "object not identified yet");
            Ok(wait(admitter, &transfer, source.pushed_at).await)
        }
        Identity::Lost => push_again(store, &transfer).await,
    }
}

/// Has the document pushed once more, because only that can tell whose object this is.
async fn push_again(store: &impl TransferStore, transfer: &Transfer) -> Result<Arrival, TaskError> {
    tracing::info!(transfer.id = transfer.transfer_id.as_str(), "document pushed again");
    store.lose_object(&transfer.transfer_id, transfer.epoch, true).await?;
    Ok(Arrival::PushAgain)
}

/// Takes the key that the last push named, as soon as no other document uses it.
async fn wait_for_key<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    transfer: &Transfer,
) -> Result<Arrival, TaskError>
where
    S: TransferStore + SlotStore,
    W: Workflow,
    C: Clock,
{
    let Transfer { transfer_id, attempt, object_guid, .. } = transfer;
    let Some(key) = &transfer.known_key else { return Ok(Arrival::PushAgain) };
    let now = admitter.clock.now();
    if admitter.store.hold_key(transfer_id, *attempt, object_guid, key, now).await? {
        return Ok(Arrival::PushAgain);
    }
    Ok(wait(admitter, transfer, transfer.started_at.unwrap_or(now)).await)
}

/// Waits for other transfers, without a slot: longer, the longer it has waited.
async fn wait<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    transfer: &Transfer,
    since: Timestamp,
) -> Arrival
where
    S: TransferStore + SlotStore,
    W: Workflow,
    C: Clock,
{
    step_aside(admitter, transfer).await;
    let waited = admitter.clock.now().duration_since(since).as_secs();
    Arrival::Wait { seconds: u32::try_from((waited / 4).clamp(1, 15)).unwrap_or(1) }
}
