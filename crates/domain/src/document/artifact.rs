//! Artifacts: copies of documents in the delivery bucket, from which clients download them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::DocumentName;
use crate::ids::ObjectGuid;

/// Object of the delivery bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Key of the object. Each key is used only once.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
}

/// Stored record of an artifact. It allows to reuse the object for another request for the same
/// document, and to remove the object when its retention is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactRecord {
    /// Key of the object. Each key is used only once.
    pub key: String,
    /// Document that the object contains.
    pub object_guid: ObjectGuid,
    /// Size in bytes.
    pub size: u64,
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
