//! Unique keys of documents.

use super::{DocumentId, DocumentRecord};
use crate::ids::{FileId, ObjectGuid};

/// Unique key of a document. Each document has an id and a GUID; not each one has a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentKey {
    /// Its id in the registry.
    Id(DocumentId),
    /// Its number.
    File(FileId),
    /// Its id at the source.
    Object(ObjectGuid),
}

impl DocumentKey {
    /// Returns whether this is a key of the document.
    #[must_use]
    pub fn is_of(&self, record: &DocumentRecord) -> bool {
        match self {
            Self::Id(id) => *id == record.id,
            Self::File(file) => Some(*file) == record.file_id,
            Self::Object(guid) => *guid == record.obj_guid,
        }
    }

    /// Returns all keys of a document.
    #[must_use]
    pub fn all_of(record: &DocumentRecord) -> Vec<Self> {
        let number = record.file_id.map(Self::File);
        let others = [Self::Id(record.id.clone()), Self::Object(record.obj_guid.clone())];
        others.into_iter().chain(number).collect()
    }
}
