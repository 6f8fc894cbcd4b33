//! Audit records about issued URLs, lists of documents, denials and withdrawals.
//!
//! Records about transfers have another type, `OutcomeRecord`. [`AuditAction`] lists the actions of
//! both types. A *denial* is a refused request for documents; one event counts all denials of a
//! person in a minute.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RequestOrigin;
use crate::document::{DocumentRecord, Subject};
use crate::ids::TransferId;
use crate::slots::Pool;
use crate::transfer::DeliveredFile;

/// Maximum number of files in one event. An event with the longest names has at most 160 KiB. The
/// limits are 400 KiB for an item in DynamoDB and 256 KiB for an SQS message.
pub const MAX_FILES_PER_EVENT: usize = 100;

/// Action that the audit trail records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AuditAction {
    /// The document was sent into a OneDrive. The field `outcome` says whether it arrived.
    #[serde(rename = "Delivered to OneDrive")]
    DeliveredToOnedrive,
    /// The document was copied to the delivery bucket. The field `outcome` says whether the copy is
    /// available.
    #[serde(rename = "Made available for download")]
    MadeAvailable,
    /// A response contained presigned URLs. docferry does not see whether they are used.
    #[serde(rename = "URL issued")]
    UrlIssued,
    /// A response contained metadata of documents.
    #[serde(rename = "Viewed list")]
    ViewedList,
    /// A person asked for documents or subjects that the person may not see or that do not exist.
    #[serde(rename = "Access denied")]
    AccessDenied,
    /// A document was withdrawn.
    #[serde(rename = "Withdrawn")]
    Withdrawn,
}

impl AuditAction {
    /// All actions.
    pub const ALL: [Self; 6] = [
        Self::DeliveredToOnedrive,
        Self::MadeAvailable,
        Self::UrlIssued,
        Self::ViewedList,
        Self::AccessDenied,
        Self::Withdrawn,
    ];

    /// Returns the name of the action in the trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeliveredToOnedrive => "Delivered to OneDrive",
            Self::MadeAvailable => "Made available for download",
            Self::UrlIssued => "URL issued",
            Self::ViewedList => "Viewed list",
            Self::AccessDenied => "Access denied",
            Self::Withdrawn => "Withdrawn",
        }
    }
}

impl From<Pool> for AuditAction {
    fn from(pool: Pool) -> Self {
        match pool {
            Pool::Onedrive => Self::DeliveredToOnedrive,
            Pool::Download => Self::MadeAvailable,
        }
    }
}

/// Audit record about a request or a withdrawal. These fields depend on the action:
///
/// | field | URL issued | Viewed list | Access denied | Withdrawn |
/// |---|---|---|---|---|
/// | `origin` | of the request | of the request | of the minute's first denial | `None` |
/// | `count` | `None` | length of the list, if the response has only that | number of denials | `None` |
/// | `requested` | empty | empty | requested documents and subjects | empty |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Id of the event, which is also the id of its message. A consumer discards messages with the
    /// same id as duplicates.
    pub id: String,
    /// The action that happened.
    pub action: AuditAction,
    /// Principal (the authenticated caller) that made the request. For a withdrawal, it is the
    /// operator or system that withdrew the document.
    pub actor: String,
    /// Time of the action.
    pub at: Timestamp,
    /// Circumstances of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RequestOrigin>,
    /// The court file or patient that all files concern. `None` if it is unknown or differs between
    /// the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The documents. There are at most [`MAX_FILES_PER_EVENT`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<DeliveredFile>,
    /// Job to which the URLs belong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<TransferId>,
    /// Hashes of the object keys in the issued URLs ([`super::object_key_hash`]), in the order of
    /// `files`. Empty for other actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// Number of denials, or length of a list. The number of denials may be too high, because a
    /// repeated call to the store counts a denial twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Document keys and subjects in the denied requests, as text. The list has a maximum length,
    /// so some may be missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requested: Vec<String>,
}

impl AuditEvent {
    /// Creates an event without files.
    #[must_use]
    pub const fn new(id: String, action: AuditAction, actor: String, at: Timestamp) -> Self {
        Self {
            id,
            action,
            actor,
            at,
            origin: None,
            subject: None,
            files: Vec::new(),
            job_id: None,
            objects: Vec::new(),
            count: None,
            requested: Vec::new(),
        }
    }
}

impl From<&DocumentRecord> for DeliveredFile {
    fn from(record: &DocumentRecord) -> Self {
        Self {
            id: record.obj_guid.as_str().to_owned(),
            file_name: record.file_name.as_str().to_owned(),
            content_type: Some(record.content_type.as_str().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn action_of_a_transfer_depends_on_its_destination() {
        assert_eq!(AuditAction::from(Pool::Onedrive), AuditAction::DeliveredToOnedrive);
        assert_eq!(AuditAction::from(Pool::Download), AuditAction::MadeAvailable);
    }

    #[test]
    fn every_action_is_serialized_as_its_name() {
        for action in AuditAction::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
    }
}
