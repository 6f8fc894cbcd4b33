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

/// Encrypts upload URLs at rest, bound to their transfer.
pub trait Sealer: Send + Sync {
    /// Encrypts a URL with the transfer as encryption context.
    fn seal(
        &self,
        transfer: &TransferId,
        url: &UploadUrl,
    ) -> impl Future<Output = Result<Vec<u8>, SealError>> + Send;

    /// Decrypts a URL; fails unless it was encrypted for the same transfer.
    fn open(
        &self,
        transfer: &TransferId,
        sealed: &[u8],
    ) -> impl Future<Output = Result<UploadUrl, SealError>> + Send;
}
