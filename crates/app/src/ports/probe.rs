//! Port for the health check of the delivery bucket, which holds the downloads.

use std::future::Future;

use super::ArtifactError;

/// Health check of the delivery bucket. It reads no object.
pub trait StorageProbe: Send + Sync {
    /// Succeeds when the bucket answers a call.
    fn probe_storage(&self) -> impl Future<Output = Result<(), ArtifactError>> + Send;
}
