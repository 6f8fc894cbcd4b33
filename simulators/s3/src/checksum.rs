//! CRC-32 checksums as S3 transmits them: in headers, and in XML documents.
//!
//! Rules: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderMap;

use crate::error::S3Error;

/// Header with the CRC-32 of a body or an object.
pub(crate) const CRC32_HEADER: &str = "x-amz-checksum-crc32";
/// Header with the type of an object's checksum.
pub(crate) const TYPE_HEADER: &str = "x-amz-checksum-type";
/// Headers with checksums that the simulator does not support.
const OTHER_HEADERS: [&str; 4] = [
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// Scope of the checksum of a multipart upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChecksumType {
    /// Checksum of all bytes of the object.
    FullObject,
    /// Checksum of the checksums of the parts.
    Composite,
}

impl ChecksumType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    /// Reads the header with the checksum type.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, S3Error> {
        match text(headers, TYPE_HEADER) {
            None => Ok(None),
            Some("FULL_OBJECT") => Ok(Some(Self::FullObject)),
            Some("COMPOSITE") => Ok(Some(Self::Composite)),
            Some(_) => Err(invalid_header(TYPE_HEADER)),
        }
    }
}

/// Checksum that is recorded with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksum {
    /// Base64 of the CRC-32. A composite checksum ends with the number of parts.
    pub(crate) value: String,
    pub(crate) kind: ChecksumType,
}

impl Checksum {
    pub(crate) fn full_object(crc: u32) -> Self {
        Self { value: encode(crc), kind: ChecksumType::FullObject }
    }

    /// Returns the checksum of the checksums of these parts.
    pub(crate) fn composite(parts: &[u32]) -> Self {
        let bytes: Vec<u8> = parts.iter().flat_map(|crc| crc.to_be_bytes()).collect();
        let value = format!("{}-{}", encode(crc32fast::hash(&bytes)), parts.len());
        Self { value, kind: ChecksumType::Composite }
    }

    pub(crate) fn headers(&self) -> [(&'static str, String); 2] {
        [(CRC32_HEADER, self.value.clone()), (TYPE_HEADER, self.kind.name().to_owned())]
    }

    pub(crate) fn xml(&self) -> String {
        let Self { value, kind } = self;
        format!(
            "<ChecksumCRC32>{value}</ChecksumCRC32><ChecksumType>{}</ChecksumType>",
            kind.name()
        )
    }
}

/// Returns the base64 of a CRC-32 in network byte order.
pub(crate) fn encode(crc: u32) -> String {
    STANDARD.encode(crc.to_be_bytes())
}

/// Parses the base64 of a CRC-32.
pub(crate) fn decode(value: &str) -> Option<u32> {
    let bytes = STANDARD.decode(value).ok()?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Returns the CRC-32 that a request claims for its body.
pub(crate) fn claimed(headers: &HeaderMap) -> Result<Option<u32>, S3Error> {
    refuse_other_algorithms(headers)?;
    let parse = |value| decode(value).ok_or_else(|| invalid_header(CRC32_HEADER));
    text(headers, CRC32_HEADER).map(parse).transpose()
}

/// Refuses a checksum that the simulator cannot verify.
pub(crate) fn refuse_other_algorithms(headers: &HeaderMap) -> Result<(), S3Error> {
    match OTHER_HEADERS.into_iter().find(|name| headers.contains_key(*name)) {
        None => Ok(()),
        Some(name) => Err(S3Error::not_implemented(&format!("{name} is not simulated"))),
    }
}

pub(crate) fn invalid_header(name: &str) -> S3Error {
    S3Error::invalid_request(&format!("Value for {name} header is invalid."))
}

pub(crate) fn bad_digest() -> S3Error {
    S3Error::bad_request(
        "BadDigest",
        "The CRC32 you specified did not match the calculated checksum.",
    )
}

pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
