//! Form of a message of the audit queues.

use std::fmt;
use std::net::IpAddr;

use docferry_domain::audit::AuditAction;
use docferry_domain::document::{CaseClass, CourtFile, Subject};
use docferry_domain::failure::FailureCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Message of the audit queues. It is sent at least once. If it is sent again, it has the same
/// [`AuditMessage::message_id`].
///
/// `Debug` hides everything but the id and the action, because the message names people and
/// documents.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditMessage {
    /// Id of the message. For a transfer it is `{transferId}/{attempt}`, where `attempt` is the
    /// number of the execution.
    pub message_id: String,
    /// The action that happened.
    pub action: AuditAction,
    /// Result of the action.
    pub outcome: AuditOutcome,
    /// Failure code, if a transfer was not completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
    /// Principal that made the request.
    pub actor: String,
    /// Person on whose behalf the request was made, as the caller named it: the header
    /// `X-On-Behalf-Of` of a service, otherwise `userId` in the body.
    #[serde(default)]
    pub on_behalf_of: Option<String>,
    /// Person who received the documents. It is null for a download, which the actor or the person
    /// in `onBehalfOf` receives.
    #[serde(default)]
    pub recipient: Option<AuditRecipient>,
    /// Court file or patient whom the documents concern, if the registry knows it.
    #[serde(default)]
    pub subject: Option<Subject>,
    /// Court file that the request named, if it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub court_file: Option<CourtFile>,
    /// Class of the court case that the request named, if it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<CaseClass>,
    /// The documents that were delivered, disclosed or withdrawn. Others are not listed.
    #[serde(default)]
    pub files: Vec<AuditedFile>,
    /// Source of the request; null for a withdrawal, and for transfers of older versions.
    #[serde(default)]
    pub source: Option<AuditSource>,
    /// Where the documents went.
    #[serde(default)]
    pub destination: Option<AuditedDestination>,
    /// Time of the action. A transfer has happened when it ended.
    pub timestamp: Timestamp,
    /// Id by which logs and the API name the work: that of the transfer, else that of the job, else
    /// that of the request.
    pub correlation_id: String,
    /// Id of the job, if the action belongs to one. For a document of a batch it is the batch.
    #[serde(default)]
    pub job_id: Option<String>,
    /// For denials, the number of requests. For a list that was only counted, its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// For denials, what the requests named, such as `fileId=10042`. If they named much, some of it
    /// is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requested: Vec<String>,
}

impl fmt::Debug for AuditMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditMessage({}, {})", self.message_id, self.action.as_str())
    }
}

/// Result of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AuditOutcome {
    /// The action was carried out.
    Completed,
    /// The transfer failed.
    Failed,
    /// The transfer was canceled.
    Canceled,
    /// Access was denied.
    Denied,
}

/// Document in an audit message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditedFile {
    /// GUID of the document at its source.
    pub id: String,
    /// Name at the destination, or in the registry.
    pub file_name: String,
    /// Media type. It is null if the source did not report one.
    pub content_type: Option<String>,
}

/// Person who received documents in OneDrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecipient {
    /// User id in Microsoft Graph; null if the document was not delivered or Graph could not be
    /// asked.
    pub user_id: Option<String>,
    /// E-mail address.
    pub address: String,
}

/// Technical source of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditSource {
    /// Address from which API Gateway received the request.
    pub ip: Option<IpAddr>,
    /// Header `User-Agent`, at most 256 characters.
    pub user_agent: Option<String>,
    /// Id of the request, as in logs and in the header `X-Request-ID`. A client can choose it.
    pub request_id: String,
    /// Id that API Gateway gave to the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_request_id: Option<String>,
}

/// Where documents went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", untagged)]
pub enum AuditedDestination {
    /// A folder in the recipient's OneDrive.
    Onedrive {
        /// The folder as the caller named it; null for the root folder.
        folder: Option<String>,
    },
    /// Objects of the delivery bucket.
    Download {
        /// SHA-256 of the key of each object, in the order of `files`.
        object_key_hashes: Vec<String>,
    },
}
