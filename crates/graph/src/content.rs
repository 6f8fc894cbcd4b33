//! Reads of a byte range of a file in OneDrive: the `Range` header of the request, and the checks
//! of the response. Graph redirects such a request to a pre-authenticated download URL.

use std::ops::Range;

use bytes::Bytes;
use docferry_app::ports::DriveError;
use http::header::{CONTENT_RANGE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::response::GraphResponse;

/// Returns the value of the `Range` header for `range`. Fails if the range is empty.
pub(crate) fn range_header(range: &Range<u64>) -> Result<HeaderValue, DriveError> {
    let last = range.end.checked_sub(1).filter(|last| range.start <= *last);
    last.and_then(|last| HeaderValue::try_from(format!("bytes={}-{last}", range.start)).ok())
        .ok_or_else(|| DriveError::Refused { code: "invalidRange".into() })
}

/// Returns the download URL to which Graph redirects a request for content, or `None` if the
/// response is not a redirect. The URL contains its own credential.
pub(crate) fn redirect_target(response: &GraphResponse) -> Option<String> {
    let is_redirect = matches!(
        response.status,
        StatusCode::FOUND | StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers.get(LOCATION).filter(|_| is_redirect)?;
    Some(location.to_str().ok()?.to_owned())
}

/// Returns the bytes of the requested range. Fails if the response shows that the file does not
/// have the size `expected_size`.
pub(crate) fn requested_bytes(
    response: &GraphResponse,
    range: &Range<u64>,
    expected_size: u64,
) -> Result<Bytes, DriveError> {
    let status = response.status.as_u16();
    match status {
        206 if content_range(&response.headers) != Some((range.clone(), expected_size)) => {
            Err(content_changed())
        }
        206 if response.body.len() as u64 == range.end - range.start => Ok(response.body.clone()),
        // The server ignored the range and sent the whole content.
        200 if response.body.len() as u64 == expected_size => slice(&response.body, range),
        200 | 206 | 404 | 410 | 412 | 416 => Err(content_changed()),
        429 | 503 | 509 => Err(DriveError::Throttled { retry_after: response.retry_after }),
        401 | 403 => Err(DriveError::Unauthorized { code: status.to_string() }),
        408 | 500.. => Err(DriveError::Ambiguous(format!("status {status}").into())),
        _ => Err(DriveError::Refused { code: status.to_string() }),
    }
}

/// Returns the error for an item that has changed since the caller looked it up. The caller must
/// look the item up again.
fn content_changed() -> DriveError {
    DriveError::Ambiguous("the item has changed since it was looked up".into())
}

/// Returns the bytes of the range from the whole content.
fn slice(body: &Bytes, range: &Range<u64>) -> Result<Bytes, DriveError> {
    match (usize::try_from(range.start), usize::try_from(range.end)) {
        (Ok(start), Ok(end)) if end <= body.len() => Ok(body.slice(start..end)),
        _ => Err(content_changed()),
    }
}

/// Parses the `Content-Range` header, such as `bytes 0-9/100`. Returns the range and the size of
/// the whole content.
fn content_range(headers: &HeaderMap) -> Option<(Range<u64>, u64)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, size) = text.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let end = last.parse::<u64>().ok()?.checked_add(1)?;
    Some((first.parse().ok()?..end, size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Range that the tests request.
    const RANGE: Range<u64> = 2..5;

    /// Size of the file that the tests read.
    const FILE_SIZE: u64 = 9;

    /// Reads [`RANGE`] from a response. Returns `None` if the response is an error.
    fn read(status: u16, content_range: Option<&'static str>, body: &'static str) -> Option<Bytes> {
        let mut headers = HeaderMap::new();
        if let Some(content_range) = content_range {
            headers.insert(CONTENT_RANGE, HeaderValue::from_static(content_range));
        }
        let response = GraphResponse {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            headers,
            body: Bytes::from_static(body.as_bytes()),
        };
        requested_bytes(&response, &RANGE, FILE_SIZE).ok()
    }

    #[test]
    fn range_is_accepted_only_from_the_unchanged_item() {
        assert_eq!(read(206, Some("bytes 2-4/9"), "cde"), Some("cde".into()));
        assert_eq!(read(200, None, "abcdefghi"), Some("cde".into()));

        for (status, content_range, body) in [
            (206, Some("bytes 2-4/10"), "cde"),
            (206, Some("bytes 0-2/9"), "abc"),
            (206, Some("bytes 2-4/*"), "cde"),
            (206, None, "cde"),
            (206, Some("bytes 2-4/9"), "cd"),
            (200, None, "abc"),
            (204, None, ""),
            (302, None, ""),
            (404, None, ""),
        ] {
            assert_eq!(read(status, content_range, body), None, "{status} {content_range:?}");
        }
    }

    #[test]
    fn range_header_contains_the_last_byte_position() {
        assert_eq!(range_header(&(2..5)).unwrap(), "bytes=2-4");
    }

    #[test]
    fn empty_range_has_no_range_header() {
        assert!(range_header(&(5..5)).is_err());
    }
}
