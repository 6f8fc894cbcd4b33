//! Checks of a fragment's `Content-Range` and `Content-Length` headers.

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING},
};

use crate::error::GraphError;

/// Every fragment except the last one must be a multiple of this size.
const UNIT: u64 = 327_680;
/// Exclusive upper limit of a fragment's size.
const LIMIT: u64 = 60 * 1024 * 1024;

/// Range that a fragment's headers declare.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// Size of the whole file.
    pub(crate) total: u64,
}

impl Claim {
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
        let claim = text(CONTENT_RANGE)
            .and_then(Self::parse)
            .ok_or_else(|| GraphError::invalid("Content-Range is missing or malformed."))?;
        if claim.length != length {
            let message = "Content-Length differs from the length of the range.";
            return Err(GraphError::invalid(message).inner("fragmentLengthMismatch"));
        }
        if length >= LIMIT {
            return Err(GraphError::invalid("A fragment is smaller than 60 MiB."));
        }
        if !claim.is_last() && length % UNIT != 0 {
            let message = "Fragments but the last are multiples of 327,680 bytes.";
            return Err(GraphError::invalid(message));
        }
        Ok(claim)
    }

    fn parse(value: &str) -> Option<Self> {
        let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
        let (start, end) = range.split_once('-')?;
        let number = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?
        };
        let (start, end, total) = (number(start)?, number(end)?, number(total)?);
        (start <= end && end < total).then(|| Self { start, length: end - start + 1, total })
    }
}
