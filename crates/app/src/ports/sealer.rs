//! Port for the encryption of upload URLs. An upload URL contains its own credential, so docferry
//! stores it only encrypted (*sealed*).

use std::future::Future;

use docferry_domain::ids::TransferId;

use super::{Cause, UploadUrl};

/// Failure of encryption or decryption.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key service did not respond. Retry the call.
    #[error("the key service did not answer")]
    Unavailable(#[source] Cause),
    /// The ciphertext was not encrypted by docferry, or belongs to another transfer. The upload
    /// session cannot be used any more; open a new session.
    #[error("the sealed text cannot be opened")]
    Unreadable,
}

/// Encrypts upload URLs for storage. A sealed URL can be opened only for the same transfer.
pub trait Sealer: Send + Sync {
    /// Encrypts a URL for this transfer.
    fn seal(
        &self,
        transfer: &TransferId,
        url: &UploadUrl,
    ) -> impl Future<Output = Result<Vec<u8>, SealError>> + Send;

    /// Decrypts a URL. Fails with [`SealError::Unreadable`] if the URL was encrypted for another
    /// transfer.
    fn open(
        &self,
        transfer: &TransferId,
        sealed: &[u8],
    ) -> impl Future<Output = Result<UploadUrl, SealError>> + Send;
}
