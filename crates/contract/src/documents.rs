//! Reader of the documents in a request to the downloads API.
//!
//! A request names one document with `file_id`, or several documents with `file_ids` or
//! `objGuids`.

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

/// Reads the documents of a request. Returns `None` if a number or GUID is invalid.
pub(crate) fn read_documents(
    fields: &mut Fields<'_>,
    range: &RangeInclusive<u64>,
) -> Option<RequestedDocuments> {
    use DocumentsMember::{FileId as Single, FileIds, ObjGuids};
    let [single, numbers, guids] =
        [Single, FileIds, ObjGuids].map(|member| fields.value(member.name()));
    match (single, numbers, guids) {
        (None, None, None) => {
            fields.add_error(Single.name(), "is required unless file_ids or objGuids is given");
            None
        }
        (Some(value), None, None) => {
            let number = read_number(fields, Single.name(), value, range)?;
            Some(RequestedDocuments { keys: vec![DocumentKey::File(number)], member: Single })
        }
        (None, Some(value), None) => read_list(fields, FileIds, value, |fields, name, value| {
            read_number(fields, name, value, range).map(DocumentKey::File)
        }),
        (None, None, Some(value)) => read_list(fields, ObjGuids, value, |fields, name, value| {
            read_guid(fields, name, value).map(DocumentKey::Object)
        }),
        (Some(_), Some(_), None) => {
            fields.add_error(FileIds.name(), "must not be combined with file_id");
            None
        }
        (_, _, Some(_)) => {
            fields.add_error(ObjGuids.name(), "must not be combined with file_id or file_ids");
            None
        }
    }
}

/// Reads a list of documents. `read` reads one entry; its second argument is the name of the entry
/// for errors. All wrong entries are reported.
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
    let mut seen = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let name = format!("{}/{index}", member.name());
        let Some(key) = read(fields, &name, entry) else { continue };
        if seen.insert(key.clone()) {
            keys.push(key);
        } else {
            fields.add_error(&name, "is a duplicate of an earlier entry");
        }
    }
    (keys.len() == entries.len()).then_some(RequestedDocuments { keys, member })
}

/// Reads the GUID of a document. `name` is the field for errors.
fn read_guid(fields: &mut Fields<'_>, name: &str, value: &Value) -> Option<ObjectGuid> {
    if !value.is_string() {
        fields.add_error(name, "must be a string");
    }
    fields.parse(name, value.as_str())
}

/// Reads the number of a document, which must be in `range`. `name` is the field for errors.
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
