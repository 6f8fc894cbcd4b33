//! Response bodies that say where the documents of a completed job are: at a download URL or in a
//! OneDrive.

use docferry_domain::ids::FileId;
use serde::Serialize;

/// URL of a document.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobResult {
    /// Presigned URL. It is a secret, because it gives access to the document.
    pub url: String,
    /// Time at which the URL expires.
    pub expires_at: String,
}

impl std::fmt::Debug for JobResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JobResult(…)")
    }
}

/// Response to `GET /v1/download/{jobId}` for a completed batch or delivery to OneDrive. For a job
/// with a single object to download, the response is a redirect to that object instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobResults {
    /// One entry for each delivered document, in the order of the request.
    pub items: Vec<DeliveredDocument>,
}

/// A delivered document and its place.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct DeliveredDocument {
    /// The document, as the request named it.
    #[serde(flatten)]
    pub name: DocumentKey,
    /// Place of the document.
    #[serde(flatten)]
    pub place: DeliveryPlace,
}

impl std::fmt::Debug for DeliveredDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeliveredDocument({:?}, …)", self.name)
    }
}

/// Name of a document: the number or the GUID by which the request named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum DocumentKey {
    /// Number of the document.
    #[serde(rename = "file_id")]
    FileId(FileId),
    /// GUID in the object store.
    #[serde(rename = "objGuid")]
    ObjectGuid(String),
}

/// Place of a delivered document.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DeliveryPlace {
    /// A presigned URL.
    Download(JobResult),
    /// An item in a OneDrive.
    #[serde(rename_all = "camelCase")]
    Onedrive {
        /// URL at which the owner of the drive opens the item in a browser. It is null for
        /// deliveries that older versions recorded.
        web_url: Option<String>,
    },
}
