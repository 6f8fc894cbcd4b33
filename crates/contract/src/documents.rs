//! Reader of the documents in a request to the downloads API.
//!
//! A request names one document with `file_id`, or several documents with `file_ids` or
//! `objGuids`. The requests in `download` use this reader.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use docferry_domain::document::DocumentKey;
use docferry_domain::ids::{FileId, ObjectGuid};
use docferry_domain::job::MAX_DOCUMENTS;
use serde_json::Value;

use crate::fields::Fields;
use crate::problem::FieldError;

/// Member of a request that names documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentsMember {
    /// `file_id`: the number of one document.
    FileId,
    /// `file_ids`: numbers of documents.
    FileIds,
    /// `objGuids`: GUIDs in the object store. Only services may send them.
    ObjGuids,
}

impl DocumentsMember {
    /// Returns the name of the member.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FileId => "file_id",
            Self::FileIds => "file_ids",
            Self::ObjGuids => "objGuids",
        }
    }

    /// Returns the error for a document that does not exist for the caller. `index` is its position
    /// in the request, from 0.
    #[must_use]
    pub fn unknown_document(self, index: usize) -> FieldError {
        let (name, detail) = (self.name(), "is not the number of a known document");
        match self {
            Self::FileId => FieldError::field(name, detail),
            Self::FileIds => FieldError::field(&format!("{name}/{index}"), detail),
            Self::ObjGuids => FieldError::field(
                &format!("{name}/{index}"),
                "is not the GUID of an available document",
            ),
        }
    }
}

/// The documents that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedDocuments {
    /// Keys of the documents: 1 to 1000, without duplicates.
    pub keys: Vec<DocumentKey>,
    /// The member that named them.
    pub member: DocumentsMember,
}

/// Reads the documents of a request. Numbers must be in `range`. If a member is missing or invalid,
/// adds an error to `fields` and returns `None`.
pub(crate) fn read_documents(
    fields: &mut Fields<'_>,
    range: &RangeInclusive<u64>,
) -> Option<RequestedDocuments> {
    const FILE_ID: DocumentsMember = DocumentsMember::FileId;
    const FILE_IDS: DocumentsMember = DocumentsMember::FileIds;
    const OBJ_GUIDS: DocumentsMember = DocumentsMember::ObjGuids;
    let [file_id, file_ids, obj_guids] =
        [FILE_ID, FILE_IDS, OBJ_GUIDS].map(|member| fields.value(member.name()));
    match (file_id, file_ids, obj_guids) {
        (None, None, None) => {
            fields.add_error(FILE_ID.name(), "is required unless file_ids or objGuids is given");
            None
        }
        (Some(file_id), None, None) => {
            let number = read_number(fields, FILE_ID.name(), file_id, range)?;
            Some(RequestedDocuments { keys: vec![DocumentKey::File(number)], member: FILE_ID })
        }
        (None, Some(file_ids), None) => {
            read_list(fields, FILE_IDS, file_ids, |fields, name, entry| {
                read_number(fields, name, entry, range).map(DocumentKey::File)
            })
        }
        (None, None, Some(obj_guids)) => {
            read_list(fields, OBJ_GUIDS, obj_guids, |fields, name, entry| {
                read_guid(fields, name, entry).map(DocumentKey::Object)
            })
        }
        (Some(_), Some(_), None) => {
            fields.add_error(FILE_IDS.name(), "must not be combined with file_id");
            None
        }
        (_, _, Some(_)) => {
            fields.add_error(OBJ_GUIDS.name(), "must not be combined with file_id or file_ids");
            None
        }
    }
}

/// Reads a list of documents, and adds an error for each wrong entry. `read` reads one entry. The
/// second argument of `read` is the name by which an error refers to the entry.
fn read_list<'a>(
    fields: &mut Fields<'a>,
    member: DocumentsMember,
    list: &'a Value,
    read: impl Fn(&mut Fields<'a>, &str, &'a Value) -> Option<DocumentKey>,
) -> Option<RequestedDocuments> {
    let entries = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if !(1..=usize::from(MAX_DOCUMENTS)).contains(&entries.len()) {
        let rule = format_args!("must be an array of 1 to {MAX_DOCUMENTS} entries");
        fields.add_error(member.name(), rule);
        return None;
    }
    let mut keys = Vec::with_capacity(entries.len());
    let mut earlier_keys = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let name = format!("{}/{index}", member.name());
        let Some(key) = read(fields, &name, entry) else { continue };
        if earlier_keys.insert(key.clone()) {
            keys.push(key);
        } else {
            fields.add_error(&name, "is a duplicate of an earlier entry");
        }
    }
    (keys.len() == entries.len()).then_some(RequestedDocuments { keys, member })
}

/// Reads the GUID of a document. Errors refer to the field by `name`.
fn read_guid(fields: &mut Fields<'_>, name: &str, value: &Value) -> Option<ObjectGuid> {
    if !value.is_string() {
        fields.add_error(name, "must be a string");
    }
    fields.parse(name, value.as_str())
}

/// Reads the number of a document, which must be in `range`. Errors refer to the field by `name`.
pub(crate) fn read_number(
    fields: &mut Fields<'_>,
    name: &str,
    value: &Value,
    range: &RangeInclusive<u64>,
) -> Option<FileId> {
    match value.as_u64() {
        Some(number) if range.contains(&number) => Some(FileId::new(number)),
        Some(_) => {
            let (first, last) = (range.start(), range.end());
            fields.add_error(name, format_args!("must be between {first} and {last}"));
            None
        }
        None => {
            fields.add_error(name, "must be a whole number");
            None
        }
    }
}
