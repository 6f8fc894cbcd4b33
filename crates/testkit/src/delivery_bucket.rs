//! State of the in-memory delivery bucket, where documents are stored for download.

use std::collections::BTreeMap;

use bytes::Bytes;
use docferry_app::ports::ArtifactError;

/// A multipart upload in progress.
#[derive(Debug, Clone)]
pub struct Multipart {
    /// Key of the object.
    pub key: String,
    /// Stored parts by part number.
    pub parts: BTreeMap<u32, Bytes>,
}

/// State of the delivery bucket.
#[derive(Debug, Default)]
pub struct DeliveryBucket {
    /// Objects by key.
    pub objects: BTreeMap<String, Bytes>,
    /// Multipart uploads in progress, by upload id.
    pub uploads: BTreeMap<String, Multipart>,
    /// Whether health checks fail.
    pub down: bool,
    /// Number of multipart uploads started so far. Upload ids contain it.
    pub(crate) begun: u32,
}

impl DeliveryBucket {
    /// Returns the multipart upload with this id.
    pub(crate) fn upload(&mut self, id: &str) -> Result<&mut Multipart, ArtifactError> {
        self.uploads.get_mut(id).ok_or(ArtifactError::UploadGone)
    }
}
