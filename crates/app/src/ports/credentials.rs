//! Port that provides docferry's credentials for outside systems.

use std::future::Future;

use super::Cause;

/// Required freshness of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Cached credentials may be used.
    Cached,
    /// The cached credentials were refused: read them again from their source.
    Fresh,
}

/// Provides the credentials `T` for an outside system. Clients call it only when they need the
/// credentials. A function that uses no such client therefore reads no secret.
pub trait CredentialsProvider<T>: Send + Sync {
    /// Returns the credentials. The text of an error is logged.
    fn credentials(&self, lookup: Freshness) -> impl Future<Output = Result<T, Cause>> + Send;
}
