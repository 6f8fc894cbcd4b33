use std::future::Future;

use super::Cause;

/// How fresh credentials must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Kept ones are fine.
    Cached,
    /// The kept ones were refused: read them again at their source.
    Fresh,
}

/// Where a client of another service has its credentials from. Asked only when they
/// are needed, so that a function which needs none reads no secret.
pub trait CredentialsProvider<T>: Send + Sync {
    /// The credentials. The text of an error goes into logs.
    fn credentials(&self, lookup: Lookup) -> impl Future<Output = Result<T, Cause>> + Send;
}
