//! Questions: what a caller may see of a transfer.

use docferry_domain::{Transfer, TransferId};

use crate::ports::{StoreError, TransferStore};

/// The transfer, if it exists and belongs to `owner`: a foreign id looks exactly
/// like an unknown one.
///
/// # Errors
/// Only the store's.
pub async fn transfer_of(
    store: &impl TransferStore,
    owner: &str,
    id: &TransferId,
) -> Result<Option<Transfer>, StoreError> {
    Ok(store.get(id).await?.filter(|transfer| transfer.owner == owner))
}
