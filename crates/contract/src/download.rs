//! Requests of the downloads API, version 1.

use std::ops::RangeInclusive;

use docferry_domain::callback::{CallbackRule, CallbackUrl};
use docferry_domain::ids::FileId;
use docferry_domain::job::{MAX_DOCUMENTS, OnItemError};
use docferry_domain::slots::Priority;
use docferry_domain::transfer::DriveTarget;
use serde_json::Value;

use crate::fields::Fields;
use crate::problem::FieldError;

/// Destination of the documents of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The caller downloads them.
    Download,
    /// A folder in a OneDrive.
    Onedrive(DriveTarget),
}

/// Validated body of `POST /v1/download/initiate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitiateDownload {
    /// Numbers of the documents: 1 to 1000, without duplicates.
    pub files: Vec<FileId>,
    /// Whether the request named one document with `file_id`, and not a list.
    pub is_single: bool,
    /// Priority in the queue for slots.
    pub priority: Priority,
    /// Destination of the documents.
    pub destination: Destination,
    /// Policy for the batch when one document fails.
    pub on_item_error: OnItemError,
    /// Whether the documents are packed into one ZIP.
    pub zip: bool,
    /// Subject of the person on whose behalf the request is made.
    pub user_id: Option<String>,
    /// URL of the webhook that is called at the end.
    pub callback: Option<CallbackUrl>,
}

impl InitiateDownload {
    /// Parses and validates a body. `range` contains the numbers that documents may have,
    /// and `callbacks` the addresses that webhooks may have. Unknown fields are ignored.
    ///
    /// # Errors
    /// Every wrong field at once, each with its pointer and rule. No text repeats a value
    /// of the request.
    pub fn parse(
        body: &Value,
        range: &RangeInclusive<u64>,
        callbacks: CallbackRule,
    ) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let files = files(&mut fields, range);
        let priorities =
            [("low", Priority::Low), ("normal", Priority::Normal), ("high", Priority::High)];
        let priority = fields.word("priority", &priorities, Priority::Normal);
        let policies = [("fail", OnItemError::Fail), ("skip", OnItemError::Skip)];
        let on_item_error = fields.word("onItemError", &policies, OnItemError::Fail);
        let (destination, zip) =
            fields.within("options", options).unwrap_or((Some(Destination::Download), false));
        let user_id = user(&mut fields);
        let callback = callback(&mut fields, callbacks);
        let read = files.zip(destination).map(|((files, is_single), destination)| Self {
            files,
            is_single,
            priority,
            destination,
            on_item_error,
            zip,
            user_id,
            callback,
        });
        fields.finish(read)
    }
}

/// Reads the person on whose behalf the request is made: the subject of a token, never an
/// e-mail address.
fn user(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.text("userId")?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@');
    if (1..=LONGEST_USER).contains(&text.len()) && is_plain {
        return Some(text.to_owned());
    }
    fields.refuse("userId", "must be the subject of a token: printable ASCII characters without @");
    None
}

fn callback(fields: &mut Fields<'_>, rule: CallbackRule) -> Option<CallbackUrl> {
    let text = fields.text("callbackUrl")?;
    CallbackUrl::parse(text, rule).map_err(|error| fields.refuse("callbackUrl", error)).ok()
}

/// Maximum length of a token's subject with the prefix that it has in a principal.
const LONGEST_USER: usize = 204;

fn options(options: &mut Fields<'_>) -> (Option<Destination>, bool) {
    let zip = options.word("bundle", &[("none", false), ("zip", true)], false);
    let to_drive = options.word("destination", &[("download", false), ("onedrive", true)], false);
    let destination = if to_drive {
        options.drive().map(Destination::Onedrive)
    } else {
        Some(Destination::Download)
    };
    (destination, zip)
}

fn files(fields: &mut Fields<'_>, range: &RangeInclusive<u64>) -> Option<(Vec<FileId>, bool)> {
    match (fields.value("file_id"), fields.value("file_ids")) {
        (None, None) => fields.refuse("file_id", "is required unless file_ids is given"),
        (Some(_), Some(_)) => fields.refuse("file_ids", "must not be combined with file_id"),
        (Some(value), None) => {
            return file(fields, "file_id", value, range).map(|file| (vec![file], true));
        }
        (None, Some(Value::Array(values))) => {
            if values.is_empty() || values.len() > usize::from(MAX_DOCUMENTS) {
                fields.refuse("file_ids", format_args!("must be 1 to {MAX_DOCUMENTS} numbers"));
                return None;
            }
            let mut files = Vec::with_capacity(values.len());
            let mut seen = std::collections::BTreeSet::new();
            for (index, value) in values.iter().enumerate() {
                let name = format!("file_ids/{index}");
                let file = file(fields, &name, value, range)?;
                if !seen.insert(file) {
                    fields.refuse(&name, "is a duplicate of an earlier entry");
                    return None;
                }
                files.push(file);
            }
            return Some((files, false));
        }
        (None, Some(_)) => fields.refuse("file_ids", "must be an array of whole numbers"),
    }
    None
}

/// Parses and validates a body with the number of one document: `file_id`.
///
/// # Errors
/// Same as [`InitiateDownload::parse`].
pub fn parse_file(body: &Value, range: &RangeInclusive<u64>) -> Result<FileId, Vec<FieldError>> {
    let mut fields = Fields::of(body)?;
    let read = match fields.value("file_id") {
        Some(value) => file(&mut fields, "file_id", value, range),
        None => {
            fields.refuse("file_id", "is required");
            None
        }
    };
    fields.finish(read)
}

fn file(
    fields: &mut Fields<'_>,
    name: &str,
    value: &Value,
    range: &RangeInclusive<u64>,
) -> Option<FileId> {
    match value.as_u64() {
        Some(number) if range.contains(&number) => Some(FileId::new(number)),
        Some(_) => {
            let (first, last) = (range.start(), range.end());
            fields.refuse(name, format_args!("must be between {first} and {last}"));
            None
        }
        None => {
            fields.refuse(name, "must be a whole number");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RANGE: RangeInclusive<u64> = 10_000..=100_000_000;

    fn parse(body: &Value) -> Result<InitiateDownload, Vec<FieldError>> {
        InitiateDownload::parse(body, &RANGE, CallbackRule::Public)
    }

    fn pointers(body: &Value) -> Vec<String> {
        let errors = parse(body).unwrap_err();
        errors.into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn request_names_one_document_or_many_and_has_defaults() {
        let one = parse(&json!({ "file_id": 10_000 })).unwrap();
        assert_eq!((one.files.len(), one.is_single, one.zip), (1, true, false));
        assert_eq!((one.priority, &one.destination), (Priority::Normal, &Destination::Download));

        let body = json!({
            "file_ids": [10_001, 10_000],
            "priority": "high",
            "onItemError": "skip",
            "options": {
                "bundle": "none",
                "destination": "onedrive",
                "email": "a@b.example",
                "filePath": "Court"
            }
        });
        let many = parse(&body).unwrap();
        assert_eq!(many.files, [FileId::new(10_001), FileId::new(10_000)]);
        assert_eq!((many.is_single, many.on_item_error), (false, OnItemError::Skip));
        assert!(matches!(many.destination, Destination::Onedrive(_)));
    }

    #[test]
    fn all_wrong_fields_are_reported_at_once_with_pointers() {
        for (body, expected) in [
            (json!([]), vec![""]),
            (json!({}), vec!["/file_id"]),
            (json!({ "file_id": 1 }), vec!["/file_id"]),
            (json!({ "file_id": 10_000.5 }), vec!["/file_id"]),
            (json!({ "file_id": 10_000, "file_ids": [10_000] }), vec!["/file_ids"]),
            (json!({ "file_ids": [] }), vec!["/file_ids"]),
            (json!({ "file_ids": [10_000, 10_000] }), vec!["/file_ids/1"]),
            (json!({ "file_ids": [10_000, "x"] }), vec!["/file_ids/1"]),
            (json!({ "file_ids": "x" }), vec!["/file_ids"]),
            (
                json!({ "file_id": "x", "priority": "now", "options": { "bundle": "tar" } }),
                vec!["/file_id", "/priority", "/options/bundle"],
            ),
            (
                json!({ "file_id": 10_000, "options": { "destination": "onedrive" } }),
                vec!["/options/email"],
            ),
            (json!({ "file_id": 10_000, "options": 1 }), vec!["/options"]),
            (json!({ "file_id": 10_000, "callbackUrl": 1 }), vec!["/callbackUrl"]),
            (
                json!({ "file_id": 10_000, "callbackUrl": "https://0xa9fea9fe/" }),
                vec!["/callbackUrl"],
            ),
        ] {
            assert_eq!(pointers(&body), expected, "{body}");
        }

        let too_many: Vec<_> = (0..1001).map(|n| 10_000 + n).collect();
        assert_eq!(pointers(&json!({ "file_ids": too_many })), ["/file_ids"]);
    }
}
