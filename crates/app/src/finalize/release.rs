//! After the end: the source copy goes, when nobody needs it any more.

use docferry_domain::{OwedKey, Transfer};
use jiff::SignedDuration;

use super::{FinalizeSettings, Ports};
use crate::TaskError;
use crate::initiate::later;
use crate::ports::{Clock, Release, Staging, TransferStore};

/// How long other users of an exchange key wait for a deletion whose function
/// died in it. Longer than the function's own time-out.
const DELETION_LEASE: SignedDuration = SignedDuration::from_secs(90);

/// Takes the transfer off the users of its exchange keys and deletes the objects that it
/// was the last to use. `false` while a document that was pushed may still come: `sweep`
/// comes back and removes it then.
pub(super) async fn release_source<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    settings: FinalizeSettings,
    transfer: &Transfer,
) -> Result<bool, TaskError>
where
    S: TransferStore,
    G: Staging,
    C: Clock,
{
    let mut comes_no_more = true;
    for owed in transfer.keys_in_doubt() {
        comes_no_more &= release(ports, settings, transfer, &owed).await?;
    }
    let ended_at = transfer.ended_at.unwrap_or_default();
    Ok(comes_no_more || ports.clock.now() >= later(ended_at, settings.late_push_watch))
}

/// Releases one key. Returns whether no object of this transfer can come under it any more.
async fn release<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    settings: FinalizeSettings,
    transfer: &Transfer,
    owed: &OwedKey,
) -> Result<bool, TaskError>
where
    S: TransferStore,
    G: Staging,
    C: Clock,
{
    let (id, key) = (&transfer.transfer_id, &owed.key);
    let now = ports.clock.now();
    // An object that is clearly older than the push is not the transfer's to delete. Nor is one
    // under the key of an earlier run whose late copies are not watched for any more.
    let began = transfer.started_at.or(transfer.ended_at).unwrap_or(now);
    let is_watched = later(owed.requested_at, settings.late_push_watch) >= began;
    let lies_there = async || {
        if !is_watched {
            return Ok(false);
        }
        let head = ports.staging.head(key).await?;
        Ok::<_, TaskError>(head.is_some_and(|head| head.is_about_since(owed.requested_at)))
    };
    let is_source = transfer.source.as_ref().is_some_and(|source| source.key == *key);
    let arrived = is_source && transfer.object.is_some();
    let ours = arrived || lies_there().await?;
    let until = later(now, DELETION_LEASE);
    let release = ports.store.release_key(id, transfer.attempt, key, now, until).await?;
    let last = match release {
        Release::Last => ours,
        // Others need it, or it was released before and has come again.
        Release::StillReferenced => {
            lies_there().await? && ports.store.take_unused_key(id, key, now, until).await?
        }
    };
    if last {
        ports.staging.delete(key).await?;
    }
    if last || release == Release::Last {
        // By the store's clock, as pushes are dated: who pushes the same document
        // again need not wait out a difference between clocks.
        let released_at = ports.staging.store_time().await?;
        ports.store.mark_released(id, key, released_at).await?;
    }
    // One push brings one document. A user of a shared key may have been content with the
    // object of another's push, so that its own is still to come; after a second push it
    // is unknown what the first one did.
    Ok(!is_watched || (arrived && transfer.pushes <= 1 && release == Release::Last))
}
