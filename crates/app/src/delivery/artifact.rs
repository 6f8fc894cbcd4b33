//! Artifacts: the objects of the delivery bucket and their records. This file names the object of a
//! transfer, removes objects, and finds a delivered object that another transfer can reuse.

use docferry_domain::document::ArtifactRecord;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Delivery, Target, Transfer};
use jiff::{SignedDuration, Timestamp};

use crate::TaskError;
use crate::ports::{ArtifactStore, Artifacts};

/// Time for which other transfers of a document reuse a delivered artifact. After that the
/// document is fetched again, because it may have changed at its source.
const REUSE_PERIOD: SignedDuration = SignedDuration::from_hours(12);

/// Returns the key of the object that a transfer creates. Each run of the transfer has its own
/// key, so the deletion of an earlier run's object cannot delete a later run's object.
pub(crate) fn artifact_key(transfer: &Transfer) -> String {
    format!("downloads/{}/{}", transfer.transfer_id, transfer.retries)
}

/// Returns whether the object of this key is the transfer's delivery. Returns `false` if the
/// transfer reuses the object of another transfer, which has another key.
pub(crate) fn has_delivered(transfer: &Transfer, key: &str) -> bool {
    matches!(&transfer.delivery, Some(Delivery::Download(artifact)) if artifact.key == key)
}

/// Deletes an object that its transfer did not deliver, and its multipart uploads. An object that
/// was delivered stays until its retention is over. The call can be repeated.
///
/// In contrast to [`remove`], this function begins the removal in the object's record itself.
///
/// # Errors
/// The errors of the bucket and the store.
pub(crate) async fn discard(
    store: &impl ArtifactStore,
    artifacts: &impl Artifacts,
    key: &str,
) -> Result<(), TaskError> {
    if store.withdraw_artifact(key).await? {
        remove(store, artifacts, key).await
    } else {
        Ok(artifacts.abort(key).await?)
    }
}

/// Deletes an object, its multipart uploads and its record. The caller must have begun the removal
/// in the record. The call can be repeated.
///
/// # Errors
/// The errors of the bucket and the store.
pub(crate) async fn remove(
    store: &impl ArtifactStore,
    artifacts: &impl Artifacts,
    key: &str,
) -> Result<(), TaskError> {
    artifacts.abort(key).await?;
    artifacts.delete(key).await?;
    Ok(store.delete_artifact_record(key).await?)
}

/// Returns a delivered artifact that a download can reuse, and retains it for as long as this
/// transfer needs it. Once the source has announced a size, only a copy of that size is reused.
///
/// # Errors
/// The errors of the store.
pub(crate) async fn reusable_artifact(
    store: &impl ArtifactStore,
    now: Timestamp,
    transfer: &Transfer,
) -> Result<Option<ArtifactRecord>, TaskError> {
    if !matches!(transfer.target, Target::Download(_)) {
        return Ok(None);
    }
    // Until the push of this run, the record contains the source of an earlier run.
    let announced = transfer.source.as_ref().filter(|_| transfer.phase > Phase::Pushing);
    let is_reusable = |found: &ArtifactRecord| {
        now.duration_since(found.written_at) < REUSE_PERIOD
            && announced.is_none_or(|source| source.size == found.size)
    };
    let Some(found) = store.find_artifact(&transfer.object_guid).await?.filter(is_reusable) else {
        return Ok(None);
    };
    let retained = store.retain_artifact(&found.key, transfer.retained_until()).await?;
    Ok(retained.then_some(found))
}
