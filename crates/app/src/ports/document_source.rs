//! Port of the document source (Oracle REST Data Services, ORDS), which pushes documents into the
//! exchange bucket. The crate `docferry-ords` implements it.

use std::future::Future;

use docferry_domain::ids::ObjectGuid;

use super::Cause;

/// The source's description of a document that it pushed. The description is not validated.
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
    /// The source did not respond or reported a server error. It may have pushed the document.
    /// Pushing again is harmless, because the second push writes the same object.
    #[error("the document source did not answer")]
    Unavailable(#[source] Cause),
    /// The response violates the contract; it may be an HTML page. A repeated call may succeed.
    #[error("the document source gave an answer that is not of its contract")]
    InvalidAnswer,
    /// The document does not exist (404).
    #[error("the document is unknown to its source")]
    NotFound,
    /// The source responded with an error text instead of the document's description, or with
    /// another status 4xx.
    #[error("the document source refused the request")]
    Refused,
    /// The source rejected docferry's credentials (401, 403).
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
