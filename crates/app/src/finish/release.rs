//! Clean-up after the end: deletes the source copy once no transfer refers to it.

use docferry_domain::transfer::{LateArrivalKey, Transfer};
use jiff::{SignedDuration, Timestamp};

use super::types::{FinalizeSettings, FinishPorts};
use crate::TaskError;
use crate::ports::{Clock, ExchangeKeyStore as _, ExchangeStore, FinishAdapters, Release};
use crate::time::saturating_add;

/// Time for which other users of an exchange key wait for a deletion whose function has died.
/// Longer than that function's time-out.
const DELETION_LEASE: SignedDuration = SignedDuration::from_secs(90);

/// Removes the transfer from the users of its exchange keys, and deletes the objects of which
/// it was the last user. Returns `false` while a pushed document may still arrive: then `sweep`
/// calls this again later.
pub(super) async fn release_source<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    settings: FinalizeSettings,
    transfer: &Transfer,
) -> Result<bool, TaskError> {
    let mut all_released = true;
    for owed in transfer.keys_awaiting_arrival() {
        all_released &= release(ports, settings, transfer, &owed).await?;
    }
    let ended_at = transfer.ended_at.unwrap_or_default();
    Ok(all_released || ports.clock.now() >= saturating_add(ended_at, settings.late_push_watch))
}

/// Returns when the sweeper checks next for a copy that arrives after the end. Most arrive
/// soon, so the pause is as long as the time since the end, from one second to five minutes.
pub(crate) fn next_check(transfer: &Transfer, now: Timestamp) -> Timestamp {
    let waited = now.duration_since(transfer.ended_at.unwrap_or(now));
    saturating_add(now, waited.clamp(SignedDuration::from_secs(1), SignedDuration::from_mins(5)))
}

/// Releases one key. Returns whether no further object of this transfer can arrive under it.
async fn release<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    settings: FinalizeSettings,
    transfer: &Transfer,
    owed: &LateArrivalKey,
) -> Result<bool, TaskError> {
    let (id, key) = (&transfer.transfer_id, &owed.key);
    let now = ports.clock.now();
    // An object that is older than the push does not belong to this transfer and is not
    // deleted. The same holds for a key of an earlier run that is no longer watched for late
    // copies.
    let began = transfer.started_at.or(transfer.ended_at).unwrap_or(now);
    let is_watched = saturating_add(owed.requested_at, settings.late_push_watch) >= began;
    let source = transfer.source.as_ref().filter(|source| source.key == *key);
    let own_object_exists = async || {
        if !is_watched {
            return Ok(false);
        }
        let head = ports.exchange.head(key).await?;
        Ok::<_, TaskError>(head.is_some_and(|head| match source {
            Some(source) => head.is_from_push(source),
            None => head.is_written_since(owed.requested_at),
        }))
    };
    let arrived = source.is_some() && transfer.object.is_some();
    let is_ours = arrived || own_object_exists().await?;
    let until = saturating_add(now, DELETION_LEASE);
    let release = ports.store.release_key(id, transfer.execution_number, key, now, until).await?;
    let must_delete = match release {
        Release::Last => is_ours,
        // Other transfers use the key, or it was released before and an object has arrived
        // since.
        Release::StillReferenced => {
            own_object_exists().await?
                && ports.store.acquire_unused_key(id, key, now, until).await?
        }
    };
    if must_delete {
        ports.exchange.delete(key).await?;
    }
    if must_delete || release == Release::Last {
        // Dated by the store's clock, as pushes are, so that a new push of the same document
        // need not wait for a difference between clocks.
        let released_at = ports.exchange.store_time().await?;
        ports.store.mark_released(id, key, released_at).await?;
    }
    // One push brings one object. A transfer that shares a key may have accepted the object of
    // another transfer's push, so its own is still to come. After a second push it is unknown
    // whether the first one has delivered its object.
    Ok(!is_watched || (arrived && transfer.pushes <= 1 && release == Release::Last))
}
