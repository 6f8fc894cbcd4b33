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

/// Provides the credentials of a client of an outside system. Called only when they are needed,
/// so that a function that needs none reads no secret.
pub trait CredentialsProvider<T>: Send + Sync {
    /// Returns the credentials. The text of an error is logged.
    fn credentials(&self, lookup: Freshness) -> impl Future<Output = Result<T, Cause>> + Send;
}
