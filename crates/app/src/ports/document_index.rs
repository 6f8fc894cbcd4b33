//! Port of the document index, which finds the documents that clients request by number.

use std::collections::BTreeMap;
use std::future::Future;

use docferry_domain::ids::{FileId, ObjectGuid};

use super::StoreError;

/// A document that clients request by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedDocument {
    /// The document's id at its source.
    pub object_guid: ObjectGuid,
    /// File name, if the index knows it.
    pub name: Option<String>,
    /// Size in bytes, if the index knows it.
    pub size: Option<u64>,
}

/// Maps document numbers to documents.
pub trait DocumentIndex: Send + Sync {
    /// Returns the documents with these numbers; unknown numbers are missing from the result.
    fn look_up(
        &self,
        files: &[FileId],
    ) -> impl Future<Output = Result<BTreeMap<FileId, IndexedDocument>, StoreError>> + Send;
}
