//! Results of the stages of a transfer, as its record stores them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Artifact, DocumentName, Evidence, FailureCode, FoundObject, HashState, Throughput};

/// Facts about a document that ORDS stated when it pushed the document.
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
    /// Time of the exchange store's clock just before ORDS was asked. An older object is
    /// not from this push.
    pub requested_at: Timestamp,
    /// Result of the HEAD request for the key around the push; `None` when it failed and in
    /// records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<FoundObject>,
    /// Time of docferry's clock just before ORDS was asked; `None` in records of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// Time of docferry's clock when ORDS had answered. The arrival deadline counts from
    /// here.
    pub pushed_at: Timestamp,
    /// Time by which a document of this size must have been delivered; `None` in records of
    /// older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_end_by: Option<Timestamp>,
}

/// The exchange object that arrived. Reads are conditional on its entity tag.
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

/// Checkpoint of an upload: the durable state from which another process can continue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Number of bytes that the drive has acknowledged in the present session.
    pub offset: u64,
    /// Hash state of the source's first bytes. It covers at most `offset` bytes, unless the
    /// drive lost some.
    pub hash: HashState,
    /// Present length of fragments, in bytes.
    pub fragment_bytes: u64,
    /// Number of upload sessions opened in this run; 1 as well from just before a small
    /// document is sent in one PUT. When it is not 0, the document may be at the
    /// destination.
    pub sessions: u32,
    /// Whether the session was replaced because the last fragment failed repeatedly. That
    /// is done only once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh_session: bool,
    /// Counters over all invocations of a run, so that every repetition is limited.
    #[serde(default, skip_serializing_if = "UploadCounters::is_empty")]
    pub tally: UploadCounters,
    /// Lease of a PUT of a small document. Until then the document may be on its way to the
    /// destination, and the invocation that sends it cannot be stopped, so `finalize`
    /// waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub putting_until: Option<Timestamp>,
    /// Whether the document may have a numbered name: its own name or a number up to the
    /// first free one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub numbering: bool,
    /// Highest number in a name under which a small document was tried.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u32,
    /// The drive's id of the item with which it answered this upload's last byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    /// Measured throughput.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Throughput>,
}

/// Counters of an upload that continue over its invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UploadCounters {
    /// Maximum of the bytes that the drive has acknowledged in any session of this run.
    /// Only a new maximum resets `setbacks` and `waits`.
    pub furthest: u64,
    /// Number of times that the source was written again and the upload started over.
    pub renewals: u32,
    /// Number of times that the drive lost acknowledged bytes, or had every byte and did
    /// not complete the file.
    pub setbacks: u32,
    /// Number of waits for a path that another session or an editor holds.
    pub waits: u32,
    /// Why the last session was replaced. It becomes the failure when no further session is
    /// allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_because: Option<FailureCode>,
}

impl UploadCounters {
    /// Returns whether every counter is zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
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
    /// Size at the destination, in bytes.
    pub size: u64,
    /// quickXorHash of the bytes that were sent, base64.
    pub quick_xor_hash: String,
    /// Whether the service rewrote the file after it had accepted the bytes.
    pub rewritten: bool,
    /// Evidence that the item is the document; `None` in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// URL at which the drive's owner opens the item in a browser; `None` in records of
    /// older versions, and when the service gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_url: Option<String>,
}

/// Why a transfer ended without a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Failure code. Its message is shown to users.
    pub code: FailureCode,
}
