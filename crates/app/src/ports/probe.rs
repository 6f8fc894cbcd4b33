//! Health check of the delivery bucket.

use std::future::Future;

use super::ArtifactError;

/// Health check of the delivery bucket: tests whether it answers, and reads none of its
/// content.
pub trait StorageProbe: Send + Sync {
    /// Succeeds when the bucket answers a call.
    fn probe_storage(&self) -> impl Future<Output = Result<(), ArtifactError>> + Send;
}
