use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{DocumentName, ObjectGuid};

/// An object of the delivery bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Its key, which is used once.
    pub key: String,
    /// Its size, in bytes.
    pub size: u64,
}

/// What is known of an object in the delivery bucket, so that it can be given to
/// somebody else who asks for the same document, and removed in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactRecord {
    /// Its key, used once.
    pub key: String,
    /// The document.
    pub object_guid: ObjectGuid,
    /// In bytes.
    pub size: u64,
    /// What the document is called.
    pub name: DocumentName,
    /// Media type as its source gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// When it was written.
    pub written_at: Timestamp,
    /// It stays until then, for whoever asks last.
    pub keep_until: Timestamp,
}
