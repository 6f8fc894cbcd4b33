//! Bodies of the requests to the downloads API, version 1, and their validation.
//!
//! A request names documents by number or GUID and starts a job. The job either makes the documents
//! available for download or copies them into a folder of a OneDrive.

use std::ops::RangeInclusive;

use docferry_domain::callback::{CallbackRule, CallbackUrl};
use docferry_domain::document::{CaseClass, CaseReference};
use docferry_domain::ids::FileId;
use docferry_domain::job::OnItemError;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::DriveTarget;
use serde_json::Value;

pub use crate::documents::{DocumentsMember, RequestedDocuments};
use crate::documents::{read_documents, read_number};
use crate::fields::Fields;
use crate::problem::FieldError;

/// Destination of the documents of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The delivery bucket, from which the caller downloads the documents.
    Download,
    /// A folder in a OneDrive.
    Onedrive(DriveTarget),
}

/// Validated body of `POST /v1/download/initiate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitiateDownload {
    /// The documents.
    pub documents: RequestedDocuments,
    /// Court case of the documents, for the audit trail. It is empty unless the documents are named
    /// by GUID.
    pub case: CaseReference,
    /// Priority in the queue for slots.
    pub priority: Priority,
    /// Destination of the documents.
    pub destination: Destination,
    /// Policy for the other documents of the batch after one has failed.
    pub on_item_error: OnItemError,
    /// Whether the documents are packed into one ZIP.
    pub zip: bool,
    /// Person on whose behalf the request is made. It is the subject of that person's tokens.
    pub user_id: Option<String>,
    /// URL of the webhook that is called when the job ends.
    pub callback: Option<CallbackUrl>,
}

impl InitiateDownload {
    /// Parses and validates a body. Unknown fields are ignored.
    ///
    /// `range` contains the numbers that documents may have. `callbacks` is the rule for the
    /// addresses of webhooks.
    ///
    /// # Errors
    /// One error for each wrong field, with the pointer to the field and the rule that it breaks.
    /// No error contains a value of the request.
    pub fn parse(
        body: &Value,
        range: &RangeInclusive<u64>,
        callbacks: CallbackRule,
    ) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let documents = read_documents(&mut fields, range);
        let case = read_case(&mut fields);
        let priorities =
            [("low", Priority::Low), ("normal", Priority::Normal), ("high", Priority::High)];
        let priority = fields.choice("priority", &priorities, Priority::Normal);
        let policies = [("fail", OnItemError::Fail), ("skip", OnItemError::Skip)];
        let on_item_error = fields.choice("onItemError", &policies, OnItemError::Fail);
        let options = fields.nested("options", read_options).unwrap_or_default();
        let user_id = read_user(&mut fields);
        let callback = read_callback(&mut fields, callbacks);
        let request = documents.zip(options.destination).map(|(documents, destination)| Self {
            documents,
            case,
            priority,
            destination,
            on_item_error,
            zip: options.zip,
            user_id,
            callback,
        });
        fields.finish(request)
    }
}

/// Members that only services may send.
const SERVICE_MEMBERS: [&str; 3] = ["objGuids", "courtFile", "class"];

/// Returns whether a body has a member that only services may send. A member that is null counts as
/// missing.
#[must_use]
pub fn is_for_services(body: &Value) -> bool {
    SERVICE_MEMBERS.iter().any(|name| body.get(name).is_some_and(|value| !value.is_null()))
}

/// Reads the court case, which can be given only for documents that are named by GUID.
fn read_case(fields: &mut Fields<'_>) -> CaseReference {
    if fields.value("objGuids").is_none() {
        for name in ["courtFile", "class"] {
            if fields.value(name).is_some() {
                fields.add_error(name, "is allowed only with objGuids");
            }
        }
        return CaseReference::default();
    }
    let court_file = fields.text("courtFile");
    let classes = [("civil", Some(CaseClass::Civil)), ("criminal", Some(CaseClass::Criminal))];
    CaseReference {
        court_file: fields.parse("courtFile", court_file),
        class: fields.choice("class", &classes, None),
    }
}

/// Maximum length of `userId`: 200 characters for the subject of a token, and 4 for the prefix
/// `sub:` of a principal id.
const MAX_USER_ID_LENGTH: usize = 204;

/// Reads the person on whose behalf the request is made. E-mail addresses are rejected.
fn read_user(fields: &mut Fields<'_>) -> Option<String> {
    let text = fields.text("userId")?;
    let is_allowed = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@');
    if (1..=MAX_USER_ID_LENGTH).contains(&text.len()) && is_allowed {
        return Some(text.to_owned());
    }
    fields.add_error(
        "userId",
        "must be the subject of a token: printable ASCII characters without @",
    );
    None
}

/// Reads the URL of the webhook.
fn read_callback(fields: &mut Fields<'_>, rule: CallbackRule) -> Option<CallbackUrl> {
    let text = fields.text("callbackUrl")?;
    CallbackUrl::parse(text, rule).map_err(|error| fields.add_error("callbackUrl", error)).ok()
}

/// The object `options` of the body.
struct Options {
    /// Destination of the documents; `None` if the OneDrive folder is invalid.
    destination: Option<Destination>,
    /// Whether the documents are packed into one ZIP.
    zip: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { destination: Some(Destination::Download), zip: false }
    }
}

fn read_options(options: &mut Fields<'_>) -> Options {
    let zip = options.choice("bundle", &[("none", false), ("zip", true)], false);
    let to_drive = options.choice("destination", &[("download", false), ("onedrive", true)], false);
    let destination = if to_drive {
        options.drive_target().map(Destination::Onedrive)
    } else {
        Some(Destination::Download)
    };
    Options { destination, zip }
}

/// Parses and validates a body whose only field is `file_id`, the number of one document.
///
/// # Errors
/// One error for each wrong field, as from [`InitiateDownload::parse`].
pub fn parse_file(body: &Value, range: &RangeInclusive<u64>) -> Result<FileId, Vec<FieldError>> {
    let mut fields = Fields::of(body)?;
    let file = match fields.value("file_id") {
        Some(value) => read_number(&mut fields, "file_id", value, range),
        None => {
            fields.add_error("file_id", "is required");
            None
        }
    };
    fields.finish(file)
}

#[cfg(test)]
mod tests;
