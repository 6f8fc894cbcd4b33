use std::future::Future;

use docferry_domain::ObjectGuid;

use super::Cause;

/// What the source says of a document that it pushed, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAnswer {
    /// The key that is going to appear in the exchange bucket. May be empty or
    /// carry a path, quotes or control characters: check before use.
    pub filename: String,
    /// Media type; `None` when empty.
    pub mime: Option<String>,
    /// Size in bytes.
    pub size: u64,
}

/// Why the source did not push, by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No answer or a server error; the push may have happened. Pushing again is
    /// harmless: the same file is written again.
    #[error("the document source did not answer")]
    Unavailable(#[source] Cause),
    /// An answer that is not of the contract, such as an HTML page. May pass.
    #[error("the document source gave an answer that is not of its contract")]
    InvalidAnswer,
    /// The document is unknown (404).
    #[error("the document is unknown to its source")]
    NotFound,
    /// An error text in place of the document's facts, or another 4xx.
    #[error("the document source refused the request")]
    Refused,
    /// Our credentials are refused (401, 403).
    #[error("the document source refused our credentials")]
    Unauthorized,
}

impl SourceError {
    /// Whether the source certainly did not push.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::NotFound | Self::Refused | Self::Unauthorized)
    }
}

/// Where documents come from (ORDS in front of the object store).
pub trait DocumentSource: Send + Sync {
    /// Asks the source to write the document to the storage from which the mover
    /// brings it to the exchange bucket. Idempotent.
    fn push(
        &self,
        guid: &ObjectGuid,
    ) -> impl Future<Output = Result<SourceAnswer, SourceError>> + Send;

    /// The health text that the source reports.
    fn ping(&self) -> impl Future<Output = Result<String, SourceError>> + Send;
}
