//! Audit records about requests: issued URLs, listed documents, denials and withdrawals.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RequestOrigin;
use crate::document::{DocumentRecord, Subject};
use crate::ids::TransferId;
use crate::slots::Pool;
use crate::transfer::DeliveredFile;

/// Action in the audit trail. It always names what has happened.
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
    /// A person named documents or subjects that the person may not see or that do not exist.
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

/// Maximum number of files in one event. With names of the maximum length, an event then has at
/// most 160 KiB: an item of DynamoDB may have 400 KiB, a message of SQS 256 KiB.
pub const MAX_FILES_PER_EVENT: usize = 100;

/// Audit record about a request or a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Id of the event and of its message, so that a consumer can discard duplicates.
    pub id: String,
    /// The action that happened.
    pub action: AuditAction,
    /// Principal that made the request. For a withdrawal, the operator or system that withdrew.
    pub actor: String,
    /// Time of the action.
    pub at: Timestamp,
    /// Circumstances of the request; `None` for a withdrawal. For denials, those of the first
    /// request of the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RequestOrigin>,
    /// The subject of all files of the event, if it is known and the same for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The documents, at most [`MAX_FILES_PER_EVENT`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<DeliveredFile>,
    /// Job to which the URLs belong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<TransferId>,
    /// For issued URLs, the hashes of the objects' keys ([`super::object_key_hash`]), in the order
    /// of `files`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// For denials, the number of denied requests; a repeated call to the store may count one
    /// twice. For a list that was only counted, the number of documents in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// For denials, what the requests named: document keys and subjects as text. If there are many,
    /// some are missing.
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
    fn action_of_a_transfer_follows_its_destination() {
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
