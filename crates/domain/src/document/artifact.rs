//! Artifacts. An *artifact* is a copy of a document in the delivery bucket, from which clients
//! download it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::{Crc32, DocumentName};
use crate::ids::ObjectGuid;

/// Object of the delivery bucket, as the record of a transfer names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Key of the object. Each key is used only once.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// Checksum of the bytes that docferry read from the exchange bucket. `None` in records of
    /// older versions. Also `None` if an earlier invocation had already completed the object, or if
    /// the bucket reported no checksum of a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32: Option<Crc32>,
}

impl From<&ArtifactRecord> for Artifact {
    fn from(record: &ArtifactRecord) -> Self {
        Self { key: record.key.clone(), size: record.size, crc32: record.crc32 }
    }
}

/// Stored record of an artifact. The record has two uses:
///
/// - A later request for the same document uses the existing object.
/// - The sweeper, a background job, removes the object when its retention is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactRecord {
    /// Key of the object. Each key is used only once.
    pub key: String,
    /// Document that the object contains.
    pub object_guid: ObjectGuid,
    /// Size in bytes.
    pub size: u64,
    /// Checksum, with the same meaning as in [`Artifact`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32: Option<Crc32>,
    /// Name of the document.
    pub name: DocumentName,
    /// Media type that the document source gave, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Time at which the object was written.
    pub written_at: Timestamp,
    /// End of the retention. Each request that uses the object may extend it.
    #[serde(rename = "keepUntil")]
    pub retain_until: Timestamp,
}
