use std::future::Future;

use docferry_domain::TransferId;

use super::{Cause, UploadUrl};

/// Sealing failed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key service did not answer: try again.
    #[error("the key service did not answer")]
    Unavailable(#[source] Cause),
    /// The sealed text is not ours, or belongs to another transfer. The session
    /// is lost to us; a new one must be opened.
    #[error("the sealed text cannot be opened")]
    Unreadable,
}

/// Seals upload URLs, so that they rest encrypted, bound to their transfer.
pub trait Sealer: Send + Sync {
    /// Encrypts with the transfer as context.
    fn seal(
        &self,
        transfer: &TransferId,
        url: &UploadUrl,
    ) -> impl Future<Output = Result<Vec<u8>, SealError>> + Send;

    /// Decrypts what was sealed for the same transfer; for any other it fails.
    fn open(
        &self,
        transfer: &TransferId,
        sealed: &[u8],
    ) -> impl Future<Output = Result<UploadUrl, SealError>> + Send;
}
