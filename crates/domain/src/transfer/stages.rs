//! Results of the stages of a transfer. When a stage ends, its result is stored in the record of
//! the transfer.
//!
//! A transfer has three stages:
//!
//! 1. Push: docferry asks ORDS, the document source, to copy the document to the exchange bucket.
//! 2. Arrival: the object appears in the exchange bucket.
//! 3. Delivery: docferry delivers the document to its destination.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::{Artifact, DocumentName, Evidence};
use crate::failure::FailureCode;
use crate::transfer::FoundObject;

/// Result of a push: the document as ORDS describes it in its response, and the times of the push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushedSource {
    /// Key of the object in the exchange bucket, as ORDS gave it.
    pub key: String,
    /// Name of the document at the destination.
    pub name: DocumentName,
    /// Media type, as ORDS gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Size in bytes, as ORDS announced it.
    pub size: u64,
    /// Time of the exchange store's clock just before ORDS was asked. An object with an earlier
    /// time is not from this push.
    pub requested_at: Timestamp,
    /// Result of the HEAD request for the key just before or just after the push. `None` if the
    /// request failed, and in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<FoundObject>,
    /// Time of docferry's clock just before ORDS was asked; `None` in records of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// Time of docferry's clock when the response of ORDS arrived. The arrival deadline counts
    /// from this time.
    pub pushed_at: Timestamp,
    /// Time by which a document of this size must have been delivered; `None` in records of
    /// older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_end_by: Option<Timestamp>,
}

/// The exchange object that arrived. Each later read is conditional on the entity tag, so that a
/// replaced object is detected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArrivedObject {
    /// Entity tag, with quotes.
    pub etag: String,
    /// Time of the arrival, by docferry's clock.
    pub arrived_at: Timestamp,
    /// Time at which the object was written, by the exchange store's clock; `None` in
    /// records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Timestamp>,
}

/// A verified delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Delivery {
    /// Delivered to a OneDrive.
    Onedrive(DeliveredItem),
    /// Delivered to the delivery bucket.
    Download(Artifact),
}

impl From<DeliveredItem> for Delivery {
    fn from(item: DeliveredItem) -> Self {
        Self::Onedrive(item)
    }
}

impl From<Artifact> for Delivery {
    fn from(artifact: Artifact) -> Self {
        Self::Download(artifact)
    }
}

/// A delivered item in a OneDrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredItem {
    /// The drive's id of the item.
    pub item_id: String,
    /// The recipient's user id in Microsoft Graph. `None` in records of older versions, and if the
    /// request for the id failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<String>,
    /// Size at the destination, in bytes.
    pub size: u64,
    /// quickXorHash of the bytes that were sent, base64.
    pub quick_xor_hash: String,
    /// Whether the service rewrote the file after it had accepted the bytes.
    pub rewritten: bool,
    /// Evidence that the item is the document; `None` in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// URL at which the drive's owner opens the item in a browser. `None` in records of older
    /// versions, and when the service returned no URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_url: Option<String>,
}

/// Reason why a transfer ended without a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Failure code. Its message is shown to users.
    pub code: FailureCode,
}
