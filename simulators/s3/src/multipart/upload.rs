//! State of the multipart uploads: unfinished uploads and their parts.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    checksum::{self, ChecksumType},
    content::Content,
    error::S3Error,
    object::{Metadata, etag_of},
    xml,
};

/// An unfinished upload.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) initiated: Timestamp,
    /// Type of the object's CRC-32. `None` if the upload was created without a checksum.
    pub(crate) checksum_type: Option<ChecksumType>,
    pub(crate) metadata: Metadata,
    pub(crate) parts: BTreeMap<u32, Part>,
}

/// An uploaded or copied part.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) content: Content,
    pub(crate) modified: Timestamp,
    /// Digest in the part's ETag.
    pub(crate) digest: [u8; 16],
    /// CRC-32 of the bytes at the time of the upload.
    pub(crate) crc: Option<u32>,
}

impl Part {
    /// Returns a part of these bytes. The checksum is recorded if the upload has one.
    pub(super) fn new(content: Content, checksum_type: Option<ChecksumType>) -> Self {
        let crc = checksum_type.map(|_| content.crc().value);
        let digest = content.digest();
        Self { content, modified: sim_kit::now(), digest, crc }
    }

    /// Returns the ETag with its quotes.
    pub(crate) fn etag(&self) -> String {
        etag_of(&self.digest)
    }

    /// Returns the element with the checksum, if there is one.
    pub(super) fn checksum_xml(&self) -> String {
        let element = |crc| xml::element("ChecksumCRC32", &checksum::encode(crc));
        self.crc.map(element).unwrap_or_default()
    }
}

/// Unfinished uploads by key and upload ID. Upload IDs ascend with the time of the upload.
#[derive(Debug, Default)]
pub(crate) struct Uploads(pub(crate) BTreeMap<(String, String), Upload>);

impl Uploads {
    pub(super) fn find(&mut self, key: &str, id: &str) -> Result<&mut Upload, S3Error> {
        self.0.get_mut(&(key.to_owned(), id.to_owned())).ok_or_else(S3Error::no_such_upload)
    }

    pub(super) fn remove(&mut self, key: &str, id: &str) -> Option<Upload> {
        self.0.remove(&(key.to_owned(), id.to_owned()))
    }
}
