//! Headers of a fragment in the Microsoft Graph simulator.
//!
//! A fragment is a part of a file that one request sends in an upload session. The header
//! `Content-Range` states which bytes of the file the fragment contains. The header
//! `Content-Length` must be the length of this range.

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING},
};

use crate::error::GraphError;

/// The size of every fragment except the last one must be a multiple of this number of bytes.
const FRAGMENT_UNIT: u64 = 327_680;
/// A fragment must be smaller than this number of bytes.
const FRAGMENT_LIMIT: u64 = 60 * 1024 * 1024;

/// Range of bytes that a fragment's headers declare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeclaredRange {
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// Size of the whole file.
    pub(crate) total: u64,
}

impl DeclaredRange {
    /// Returns whether the range ends with the last byte of the file.
    pub(crate) fn is_last(&self) -> bool {
        self.start + self.length == self.total
    }

    /// Parses and checks the headers of a fragment.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, GraphError> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let length = text(CONTENT_LENGTH).and_then(|value| value.parse::<u64>().ok());
        let (None, Some(length)) = (headers.get(TRANSFER_ENCODING), length) else {
            let message = "Content-Length is required; chunked encoding is not accepted.";
            return Err(GraphError::new(StatusCode::LENGTH_REQUIRED, "invalidRequest", message));
        };
        let range = text(CONTENT_RANGE)
            .and_then(Self::parse)
            .ok_or_else(|| GraphError::invalid("Content-Range is missing or malformed."))?;
        if range.length != length {
            let message = "Content-Length differs from the length of the range.";
            return Err(GraphError::invalid(message).with_inner_code("fragmentLengthMismatch"));
        }
        if length >= FRAGMENT_LIMIT {
            return Err(GraphError::invalid("A fragment is smaller than 60 MiB."));
        }
        if !range.is_last() && length % FRAGMENT_UNIT != 0 {
            let message = "Fragments but the last are multiples of 327,680 bytes.";
            return Err(GraphError::invalid(message));
        }
        Ok(range)
    }

    /// Parses a header value of the form `bytes {first}-{last}/{total}`.
    fn parse(value: &str) -> Option<Self> {
        let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let number = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?
        };
        let (first, last, total) = (number(first)?, number(last)?, number(total)?);
        (first <= last && last < total).then(|| Self {
            start: first,
            length: last - first + 1,
            total,
        })
    }
}
