//! What each stage of a transfer leaves in its record.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Artifact, DocumentName, Evidence, FailureCode, FoundObject, HashState, Pace};

/// What ORDS said when it pushed the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushedSource {
    /// The key that appears in the exchange bucket, as ORDS gave it.
    pub key: String,
    /// The name that the document gets in OneDrive.
    pub name: DocumentName,
    /// Media type as ORDS gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Size in bytes as ORDS announced it.
    pub size: u64,
    /// The exchange store's own time just before ORDS was asked: an object that
    /// is older is not from this push.
    pub requested_at: Timestamp,
    /// The object that lay under the key at the time of the push; `None` in records of
    /// older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<FoundObject>,
    /// Our time just before ORDS was asked; `None` in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// Our time when ORDS had answered: the arrival deadline counts from here.
    pub pushed_at: Timestamp,
    /// When a document of this size must have been delivered; `None` in records of
    /// older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_end_by: Option<Timestamp>,
}

/// The exchange object that arrived; reads are conditional on its tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArrivedObject {
    /// Entity tag, quotes included.
    pub etag: String,
    /// By our clock.
    pub arrived_at: Timestamp,
    /// When it was written, by the exchange store's clock; `None` in records of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Timestamp>,
}

/// What is durable of an upload: enough to go on in another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Bytes that the drive has acknowledged in the present session.
    pub offset: u64,
    /// Hash of the source's first bytes, at most `offset` of them unless the
    /// drive lost some.
    pub hash: HashState,
    /// Fragment size in force, in bytes.
    pub fragment_bytes: u64,
    /// Upload sessions opened so far in this attempt; 1 as well from just before a
    /// small document is put whole. Above 0 the document may be at the destination.
    pub sessions: u32,
    /// A new session was opened because the last fragment failed again and again.
    /// That is done once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh_session: bool,
    /// What is counted over all invocations of a run, so that no repetition is unbounded.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub tally: Tally,
    /// Until then a small document may be on its way to the destination, sent by an
    /// invocation that nobody can stop. Nothing is said of the end before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub putting_until: Option<Timestamp>,
    /// Whether the document may have a numbered name: its own and those up to the first
    /// that is free.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub numbering: bool,
    /// The highest number that a small document was tried under.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u32,
    /// The drive's id of the item with which it answered our own last byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    /// How fast bytes move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
}

/// Counters of an upload that outlast its invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tally {
    /// The most bytes that the drive has acknowledged in any session of this run. Only a
    /// new maximum resets `setbacks` and `waits`.
    pub furthest: u64,
    /// Times that the source was written again and the upload began anew.
    pub renewals: u32,
    /// Times that the drive took acknowledged bytes back, or had every byte and did not
    /// complete the file.
    pub setbacks: u32,
    /// Waits for a path that another session or an editor holds.
    pub waits: u32,
    /// Why the last session was given up: the failure when no other may be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_because: Option<FailureCode>,
}

impl Tally {
    /// Whether nothing is counted yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The delivered document, verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Delivery {
    /// In a OneDrive.
    Onedrive(DeliveredItem),
    /// In the delivery bucket.
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

/// An item in a OneDrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredItem {
    /// The drive's id of the item.
    pub item_id: String,
    /// Size at the destination, in bytes.
    pub size: u64,
    /// quickXorHash of the bytes that were sent, base64.
    pub quick_xor_hash: String,
    /// Whether the service rewrote the file after it had taken our bytes.
    pub rewritten: bool,
    /// Proof that the item is the document; `None` in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Where its owner opens it in a browser; `None` in older records, and when the
    /// service did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_url: Option<String>,
}

/// Why a transfer ended without a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The code; its message is what people read.
    pub code: FailureCode,
}
