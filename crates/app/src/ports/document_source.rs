//! The document source (ORDS), which pushes documents towards the exchange bucket.

use std::future::Future;

use docferry_domain::ids::ObjectGuid;

use super::Cause;

/// The source's description of a document that it pushed; not validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAnswer {
    /// Key under which the object will appear in the exchange bucket. Validate before use: it
    /// may be empty or contain a path, quotes or control characters.
    pub filename: String,
    /// Media type; `None` when empty.
    pub mime: Option<String>,
    /// Size in bytes.
    pub size: u64,
}

/// Failure of a call to the source. Variants differ in how the caller has to react.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No answer or a server error; the push may have happened. Pushing again is harmless: the
    /// same file is written again.
    #[error("the document source did not answer")]
    Unavailable(#[source] Cause),
    /// An answer that violates the contract, such as an HTML page. May be transient.
    #[error("the document source gave an answer that is not of its contract")]
    InvalidAnswer,
    /// The document does not exist (404).
    #[error("the document is unknown to its source")]
    NotFound,
    /// An error text instead of the document's description, or another 4xx.
    #[error("the document source refused the request")]
    Refused,
    /// Our credentials were refused (401, 403).
    #[error("the document source refused our credentials")]
    Unauthorized,
}

impl SourceError {
    /// Returns whether the source certainly did not push.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::NotFound | Self::Refused | Self::Unauthorized)
    }
}

/// Source of the documents (ORDS in front of the object store).
pub trait DocumentSource: Send + Sync {
    /// Makes the source write the document to the intermediate storage, from which the mover
    /// brings it to the exchange bucket. Idempotent.
    fn push(
        &self,
        guid: &ObjectGuid,
    ) -> impl Future<Output = Result<SourceAnswer, SourceError>> + Send;

    /// Returns the health text that the source reports.
    fn ping(&self) -> impl Future<Output = Result<String, SourceError>> + Send;
}
