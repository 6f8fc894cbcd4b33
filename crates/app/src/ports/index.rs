use std::collections::BTreeMap;
use std::future::Future;

use docferry_domain::{FileId, ObjectGuid};

use super::StoreError;

/// A document that clients may ask for by a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedDocument {
    /// The name that its source knows.
    pub object_guid: ObjectGuid,
    /// What it is called, as far as the index knows.
    pub name: Option<String>,
    /// Its size in bytes, as far as the index knows.
    pub size: Option<u64>,
}

/// Which document has which number.
pub trait DocumentIndex: Send + Sync {
    /// The documents of these numbers; those that nobody knows are missing.
    fn look_up(
        &self,
        files: &[FileId],
    ) -> impl Future<Output = Result<BTreeMap<FileId, IndexedDocument>, StoreError>> + Send;
}
