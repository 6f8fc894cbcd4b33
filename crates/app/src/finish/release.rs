//! Clean-up after the end of a transfer: deletes the document's object in the exchange bucket once
//! no transfer uses it.
//!
//! The *exchange key* is the name of that object. The store records the transfers that use a key.
//! To *release* a key is to remove a transfer from this record. A *push* is the request to the
//! document source to write the object.
//!
//! A pushed object may also arrive after its transfer has ended. The *sweeper*, the background
//! repair that runs every minute, then repeats the clean-up until no object can arrive any more.

use docferry_domain::transfer::{LateArrivalKey, Transfer};
use jiff::{SignedDuration, Timestamp};

use super::types::{FinalizeSettings, FinishPorts};
use crate::TaskError;
use crate::ports::{Clock, ExchangeKeyStore as _, ExchangeStore, FinishAdapters, Release};
use crate::time::saturating_add;

/// Time for which a transfer has the right to delete the object of a key. Until then, no other
/// transfer can use the key. The lease is longer than the time-out of the function that deletes. If
/// the lease expires, the function has died.
const DELETION_LEASE: SignedDuration = SignedDuration::from_secs(90);

/// Shortest time until the sweeper checks again for a late object.
const MIN_CHECK_DELAY: SignedDuration = SignedDuration::from_secs(1);

/// Longest time until the sweeper checks again for a late object.
const MAX_CHECK_DELAY: SignedDuration = SignedDuration::from_mins(5);

/// Releases the exchange keys of a transfer, and deletes the objects that are no longer used.
///
/// Returns `false` if a pushed object may still arrive. The sweeper then repeats the call later.
pub(super) async fn release_source<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    settings: FinalizeSettings,
    transfer: &Transfer,
) -> Result<bool, TaskError> {
    let mut all_released = true;
    for late_key in transfer.keys_awaiting_arrival() {
        all_released &= release_and_delete(ports, settings, transfer, &late_key).await?;
    }
    let ended_at = transfer.ended_at.unwrap_or_default();
    Ok(all_released || ports.clock.now() >= saturating_add(ended_at, settings.late_push_watch))
}

/// Returns the time at which the sweeper next checks for an object that arrives after the end of
/// its transfer.
///
/// Most objects arrive soon, so the intervals between checks grow: the delay is the time since the
/// end of the transfer, between [`MIN_CHECK_DELAY`] and [`MAX_CHECK_DELAY`].
pub(crate) fn next_check(transfer: &Transfer, now: Timestamp) -> Timestamp {
    let waited = now.duration_since(transfer.ended_at.unwrap_or(now));
    saturating_add(now, waited.clamp(MIN_CHECK_DELAY, MAX_CHECK_DELAY))
}

/// Releases one key, and deletes its object if no transfer uses the key any more. Returns `true` if
/// no further object of this transfer can arrive under the key.
async fn release_and_delete<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    settings: FinalizeSettings,
    transfer: &Transfer,
    late_key: &LateArrivalKey,
) -> Result<bool, TaskError> {
    let (id, key) = (&transfer.transfer_id, &late_key.key);
    let now = ports.clock.now();
    // This transfer deletes only objects that are not older than its push. Under a key of an
    // earlier run, it deletes objects only while they are expected (`is_watched`).
    let began = transfer.started_at.or(transfer.ended_at).unwrap_or(now);
    let is_watched = saturating_add(late_key.requested_at, settings.late_push_watch) >= began;
    let source = transfer.source.as_ref().filter(|source| source.key == *key);
    let own_object_exists = async || {
        if !is_watched {
            return Ok(false);
        }
        let head = ports.exchange.head(key).await?;
        Ok::<_, TaskError>(head.is_some_and(|head| match source {
            Some(source) => head.is_from_push(source),
            None => head.is_written_since(late_key.requested_at),
        }))
    };
    let arrived = source.is_some() && transfer.object.is_some();
    let is_ours = arrived || own_object_exists().await?;
    let lease_end = saturating_add(now, DELETION_LEASE);
    let release =
        ports.store.release_key(id, transfer.execution_number, key, now, lease_end).await?;
    let must_delete = match release {
        Release::Last => is_ours,
        // Either other transfers use the key, or this transfer has released the key before. In the
        // second case, an object may have arrived since then.
        Release::StillReferenced => {
            own_object_exists().await?
                && ports.store.acquire_unused_key(id, key, now, lease_end).await?
        }
    };
    if must_delete {
        ports.exchange.delete(key).await?;
    }
    if must_delete || release == Release::Last {
        // The clock of the exchange bucket dates both the release and the pushes. A difference
        // between two clocks therefore cannot delay a new push of the document.
        let released_at = ports.exchange.store_time().await?;
        ports.store.mark_released(id, key, released_at).await?;
    }
    // Each push writes one object. A transfer that shares a key may have accepted the object of
    // another transfer's push, so the object of its own push may still arrive. After a second
    // push, it is unknown whether the object of the first push has arrived.
    Ok(!is_watched || (arrived && transfer.pushes <= 1 && release == Release::Last))
}
