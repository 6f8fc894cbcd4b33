//! A caller changes its mind.

use docferry_domain::TransferId;

use crate::ports::{StoreError, TransferStore};

/// Asks transfers to stop.
///
/// Cooperative: what runs notices at its next step or checkpoint, nothing more is
/// delivered then, and what it leaves is cleaned up; a document that was already
/// complete stays, and its transfer says completed. Ids that are unknown, of
/// somebody else, or ended are passed over.
///
/// # Errors
/// The store's, at the first id that fails; asking again is harmless.
pub async fn terminate(
    store: &impl TransferStore,
    owner: &str,
    ids: &[TransferId],
) -> Result<(), StoreError> {
    for id in ids {
        if store.request_cancel(id, owner).await? {
            tracing::info!(transfer.id = id.as_str(), "stop requested");
        }
    }
    Ok(())
}
