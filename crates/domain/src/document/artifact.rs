//! Artifacts: copies of documents in the delivery bucket, from which clients download them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::{Crc32, DocumentName};
use crate::ids::ObjectGuid;

/// Object of the delivery bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Key of the object. Each key is used only once.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// Checksum of the bytes that were read from the exchange bucket. `None` in records of older
    /// versions, and when an invocation found an object that was complete already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32: Option<Crc32>,
}

impl From<&ArtifactRecord> for Artifact {
    fn from(record: &ArtifactRecord) -> Self {
        Self { key: record.key.clone(), size: record.size, crc32: record.crc32 }
    }
}

/// Stored record of an artifact. With this record, another request for the same document can use
/// the object again, and the sweeper removes the object when its retention is over.
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
    /// End of the retention, which is the latest end among all requests that use the object.
    #[serde(rename = "keepUntil")]
    pub retain_until: Timestamp,
}
