//! A caller changes its mind.

use std::collections::BTreeSet;

use docferry_domain::{Outcome, Phase, Transfer, TransferId, Turn};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;

use crate::TaskError;
use crate::admit::Admitter;
use crate::bundle::{AT_ONCE, tend};
use crate::initiate::later;
use crate::ports::{Clock, Store, Workflow, WriteError};

/// Asks transfers to stop.
///
/// Cooperative: what runs notices at its next step or checkpoint, nothing more is
/// delivered then, and what it leaves is cleaned up; a document that was already
/// complete stays, and its transfer says completed. What has not begun ends at
/// once. Ids that are unknown, of somebody else, or ended are passed over.
///
/// # Errors
/// The store's, at the first id that fails; asking again is harmless.
pub async fn terminate<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    record_ttl: SignedDuration,
    owner: &str,
    ids: &[TransferId],
) -> Result<(), TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let stop = async |id: &TransferId| {
        let Some(transfer) = admitter.store.request_cancel(id, owner, u32::MAX).await? else {
            return Ok(None);
        };
        tracing::info!(transfer.id = id.as_str(), "stop requested");
        let ended = Box::pin(withdraw(admitter, record_ttl, transfer)).await?;
        Ok::<_, TaskError>(id.in_bundle().filter(|_| ended).map(|(bundle, _)| bundle))
    };
    let bundles: Vec<Option<TransferId>> =
        stream::iter(ids).map(stop).buffer_unordered(AT_ONCE).try_collect().await?;
    let bundles: BTreeSet<_> = bundles.into_iter().flatten().collect();
    // What has ended may have been the last that the others of its bundle waited for.
    for bundle in bundles {
        if let Err(error) = Box::pin(tend(admitter, record_ttl, &bundle)).await {
            // All wishes are recorded, and `sweep` goes on with it.
            let code = error.code.as_str();
            tracing::warn!(bundle.id = bundle.as_str(), error.code = code, "not looked after yet");
        }
    }
    Ok(())
}

/// Ends a transfer of which nothing has begun: no step of it will notice the wish.
/// One that has begun is left to its steps, and `false`.
///
/// # Errors
/// The store's; `sweep` ends it then.
pub(crate) async fn withdraw<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    record_ttl: SignedDuration,
    transfer: Transfer,
) -> Result<bool, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let store = admitter.store;
    let held = transfer.turn == Turn::Holding;
    let mut transfer = transfer;
    while transfer.phase == Phase::Accepted {
        let now = admitter.clock.now();
        transfer = match store.finish(&transfer, Outcome::Canceled, now).await {
            Ok(transfer) => transfer,
            Err(WriteError::Ended) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
    }
    let ends = transfer.phase.is_terminal() && transfer.started_at.is_none();
    if ends {
        // An earlier run may still be owed a copy: `sweep` watches for that.
        if transfer.pushes == 0 {
            let purge_at = later(admitter.clock.now(), record_ttl);
            store.mark_clean(&transfer.transfer_id, transfer.attempt, purge_at).await?;
        }
        if held {
            admitter.admit_or_leave(transfer.pool).await;
        }
    }
    Ok(ends)
}
