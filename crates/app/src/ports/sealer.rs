//! Encryption of upload URLs.

use std::future::Future;

use docferry_domain::ids::TransferId;

use super::{Cause, UploadUrl};

/// Failure of encryption or decryption.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key service did not answer: retry.
    #[error("the key service did not answer")]
    Unavailable(#[source] Cause),
    /// The ciphertext is not ours or belongs to another transfer. The session cannot be used
    /// any more; open a new one.
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
