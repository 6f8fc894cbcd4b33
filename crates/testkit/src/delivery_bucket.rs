//! State of the in-memory delivery bucket, where documents are stored for download.

use std::collections::BTreeMap;

use bytes::Bytes;
use docferry_app::ports::{ArtifactError, Verification};
use docferry_domain::document::Crc32;

/// A multipart upload in progress.
#[derive(Debug, Clone)]
pub struct Multipart {
    /// Key of the object.
    pub key: String,
    /// Checksum that the bucket verifies on completion.
    pub verification: Verification,
    /// Stored parts by part number.
    pub parts: BTreeMap<u32, Part>,
}

/// A stored part of a multipart upload.
#[derive(Debug, Clone)]
pub struct Part {
    /// Content. A test can change it without changing `crc32`, like a disk that loses a bit.
    pub bytes: Bytes,
    /// Checksum of the part when it was stored.
    pub crc32: Crc32,
}

/// State of the delivery bucket.
#[derive(Debug)]
pub struct DeliveryBucket {
    /// Objects by key.
    pub objects: BTreeMap<String, Bytes>,
    /// Multipart uploads in progress, by upload id.
    pub uploads: BTreeMap<String, Multipart>,
    /// Checksum that the bucket verifies for new multipart uploads.
    pub verification: Verification,
    /// Whether health checks fail.
    pub down: bool,
    /// Number of multipart uploads started so far. Upload ids contain it.
    pub(crate) begun: u32,
}

impl Default for DeliveryBucket {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            verification: Verification::WholeObject,
            down: false,
            begun: 0,
        }
    }
}

impl DeliveryBucket {
    /// Returns the multipart upload with this id.
    pub(crate) fn upload(&mut self, id: &str) -> Result<&mut Multipart, ArtifactError> {
        self.uploads.get_mut(id).ok_or(ArtifactError::UploadGone)
    }
}
