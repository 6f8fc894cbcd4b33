//! Keys of documents. The *document registry* is the table with the metadata of all documents. It
//! has at most one document for each key.

use super::{DocumentId, DocumentRecord};
use crate::ids::{FileId, ObjectGuid};

/// Key that identifies one document. Every document has an id and a GUID; the number is optional.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentKey {
    /// Id in the registry.
    Id(DocumentId),
    /// Number (`fileId`), by which clients of the downloads API name the document.
    File(FileId),
    /// GUID in the object store (`objGuid`).
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
        let required_keys = [Self::Id(record.id.clone()), Self::Object(record.obj_guid.clone())];
        let number = record.file_id.map(Self::File);
        required_keys.into_iter().chain(number).collect()
    }
}
