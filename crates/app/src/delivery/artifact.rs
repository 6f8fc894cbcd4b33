//! Reuse of a document that another transfer has delivered into the delivery bucket.

use docferry_domain::document::ArtifactRecord;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Target, Transfer};
use jiff::{SignedDuration, Timestamp};

use crate::TaskError;
use crate::ports::ArtifactStore;

/// Time for which other transfers of a document reuse a delivered artifact. After that the
/// document is fetched again, because it may have changed at its source.
const REUSE_PERIOD: SignedDuration = SignedDuration::from_hours(12);

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
