//! Reader of the document numbers in a request to the downloads API.
//!
//! A request names one document with `file_id`, or several documents with `file_ids`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use docferry_domain::ids::FileId;
use docferry_domain::job::MAX_DOCUMENTS;
use serde_json::Value;

use crate::fields::Fields;

/// The documents that a request names.
pub(crate) struct RequestedDocuments {
    pub(crate) files: Vec<FileId>,
    /// Whether the request named one document with `file_id`.
    pub(crate) is_single: bool,
}

/// Reads the documents from `file_id` or `file_ids`. Returns `None` if a number is invalid.
pub(crate) fn read_documents(
    fields: &mut Fields<'_>,
    range: &RangeInclusive<u64>,
) -> Option<RequestedDocuments> {
    match (fields.value("file_id"), fields.value("file_ids")) {
        (None, None) => fields.add_error("file_id", "is required unless file_ids is given"),
        (Some(_), Some(_)) => fields.add_error("file_ids", "must not be combined with file_id"),
        (Some(value), None) => {
            let file = read_number(fields, "file_id", value, range)?;
            return Some(RequestedDocuments { files: vec![file], is_single: true });
        }
        (None, Some(Value::Array(values))) => {
            if values.is_empty() || values.len() > usize::from(MAX_DOCUMENTS) {
                fields.add_error("file_ids", format_args!("must be 1 to {MAX_DOCUMENTS} numbers"));
                return None;
            }
            let mut files = Vec::with_capacity(values.len());
            let mut seen = BTreeSet::new();
            for (index, value) in values.iter().enumerate() {
                let name = format!("file_ids/{index}");
                let file = read_number(fields, &name, value, range)?;
                if !seen.insert(file) {
                    fields.add_error(&name, "is a duplicate of an earlier entry");
                    return None;
                }
                files.push(file);
            }
            return Some(RequestedDocuments { files, is_single: false });
        }
        (None, Some(_)) => fields.add_error("file_ids", "must be an array of whole numbers"),
    }
    None
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
