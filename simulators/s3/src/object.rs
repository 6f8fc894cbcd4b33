//! Objects of the S3 simulator.

use http::{
    HeaderMap, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE,
    },
};
use jiff::Timestamp;

use crate::{checksum::Checksum, content::Content};

/// A stored object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) content: Content,
    /// Seed of an object that the admin interface has added.
    pub(crate) seed: Option<u64>,
    pub(crate) modified: Timestamp,
    /// Checksum that was recorded when the object was stored.
    pub(crate) checksum: Option<Checksum>,
    pub(crate) metadata: Metadata,
    /// ETag with its quotes.
    pub(crate) etag: String,
}

impl Object {
    /// Returns a generated object.
    pub(crate) fn generated(size: u64, seed: u64) -> Self {
        let content = Content::generated(seed, size);
        // The ETag has the form that a multipart upload gets, so that no client regards it as the
        // MD5 of the bytes.
        let etag = format!("\"{seed:016x}{size:016x}-2\"");
        Self { seed: Some(seed), ..Self::new(content, etag, Metadata::default()) }
    }

    pub(crate) fn new(content: Content, etag: String, metadata: Metadata) -> Self {
        let modified = sim_kit::now();
        Self { content, seed: None, modified, checksum: None, metadata, etag }
    }

    pub(crate) fn size(&self) -> u64 {
        self.content.size()
    }
}

/// Returns the ETag of an upload's or part's digest, with quotes.
pub(crate) fn etag_of(digest: &[u8]) -> String {
    format!("\"{}\"", hex(digest))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns whether two ETags are equal. Clients may omit the quotes.
pub(crate) fn same_etag(left: &str, right: &str) -> bool {
    let bare = |etag: &str| etag.trim().trim_matches('"').to_owned();
    bare(left) == bare(right)
}

/// Headers that S3 stores with an object and returns when it is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metadata(pub(crate) HeaderMap);

impl Metadata {
    /// Selects the stored headers of a request. The content encoding `aws-chunked` describes the
    /// request and is not stored.
    pub(crate) fn of_request(headers: &HeaderMap) -> Self {
        // https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
        let default = [(CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream"))];
        let stored = [CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LANGUAGE, CONTENT_TYPE];
        let mut selected: HeaderMap = default.into_iter().collect();
        for (name, value) in headers {
            if stored.contains(name) || name.as_str().starts_with("x-amz-meta-") {
                selected.insert(name.clone(), value.clone());
            }
        }
        let encodings = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let encodings: Vec<_> = encodings
            .into_iter()
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|encoding| !encoding.eq_ignore_ascii_case("aws-chunked"))
            .collect();
        if !encodings.is_empty()
            && let Ok(value) = encodings.join(", ").parse()
        {
            selected.insert(CONTENT_ENCODING, value);
        }
        Self(selected)
    }
}
