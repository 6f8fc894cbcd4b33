use std::future::Future;

use super::ArtifactError;

/// A look at the delivery bucket for health checks: whether it answers, and nothing of
/// its content.
pub trait StorageProbe: Send + Sync {
    /// Succeeds when the bucket answers a call of ours.
    fn probe_storage(&self) -> impl Future<Output = Result<(), ArtifactError>> + Send;
}
