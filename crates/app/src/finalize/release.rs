//! After the end: the source copy goes, when nobody needs it any more.

use docferry_domain::{PushedSource, Transfer};
use jiff::SignedDuration;

use super::{FinalizeSettings, Ports};
use crate::TaskError;
use crate::initiate::later;
use crate::ports::{Clock, Release, Staging, TransferStore};

/// How long other users of an exchange key wait for a deletion whose function
/// died in it. Longer than the function's own time-out.
const DELETION_LEASE: SignedDuration = SignedDuration::from_secs(90);

/// Takes the transfer off the users of its exchange key and deletes the object if
/// it was the last. `false` while a document that was pushed may still come:
/// `sweep` comes back and removes it then.
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
    // Nothing was pushed for a document that lay in the delivery bucket, or nobody heard
    // under which key.
    let pushed = |source: &&PushedSource| transfer.pushes > 0 && !source.key.is_empty();
    let Some(source) = transfer.source.as_ref().filter(pushed) else {
        return Ok(true);
    };
    let (id, key) = (&transfer.transfer_id, &source.key);
    // What lies there from before this push was never ours to delete.
    let lies_there = async || {
        let head = ports.staging.head(key).await?;
        Ok::<_, TaskError>(head.is_some_and(|head| head.is_from_push(source)))
    };
    let arrived = transfer.object.is_some();
    let ours = arrived || lies_there().await?;
    let now = ports.clock.now();
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
    // One push brings one document. Who shared a key may have been content with what
    // another's push had brought, so that its own is still to come; who pushed again
    // does not know what the first push did.
    let comes_no_more = arrived && transfer.pushes <= 1 && release == Release::Last;
    let watched_until = later(transfer.ended_at.unwrap_or_default(), settings.late_push_watch);
    Ok(comes_no_more || now >= watched_until)
}
