//! Ranged reads of an item's content.

use std::ops::Range;

use bytes::Bytes;
use docferry_app::ports::DriveError;
use http::header::{CONTENT_RANGE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::answer::GraphResponse;

/// Returns the value of the `Range` header for `range`; fails if the range is empty.
pub(crate) fn range_header(range: &Range<u64>) -> Result<HeaderValue, DriveError> {
    let last = range.end.checked_sub(1).filter(|last| range.start <= *last);
    last.and_then(|last| HeaderValue::try_from(format!("bytes={}-{last}", range.start)).ok())
        .ok_or_else(|| DriveError::Refused { code: "invalidRange".into() })
}

/// Returns the target of a redirect to the content. That URL contains its own credential.
pub(crate) fn address(answer: &GraphResponse) -> Option<String> {
    let is_redirect = matches!(
        answer.status,
        StatusCode::FOUND | StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    );
    let location = answer.headers.get(LOCATION).filter(|_| is_redirect)?;
    Some(location.to_str().ok()?.to_owned())
}

/// Returns the requested range of the content. `size` is the expected size of the item; any
/// response that does not fit it is an error.
pub(crate) fn part(
    answer: &GraphResponse,
    range: &Range<u64>,
    size: u64,
) -> Result<Bytes, DriveError> {
    let status = answer.status.as_u16();
    match status {
        206 if content_range(&answer.headers) != Some((range.clone(), size)) => {
            Err(content_changed())
        }
        206 if answer.body.len() as u64 == range.end - range.start => Ok(answer.body.clone()),
        // The server ignored the range and sent the whole content.
        200 if answer.body.len() as u64 == size => slice(&answer.body, range),
        200 | 206 | 404 | 410 | 412 | 416 => Err(content_changed()),
        429 | 503 | 509 => Err(DriveError::Throttled { retry_after: answer.retry_after }),
        401 | 403 => Err(DriveError::Unauthorized { code: status.to_string() }),
        408 | 500.. => Err(DriveError::Ambiguous(format!("status {status}").into())),
        _ => Err(DriveError::Refused { code: status.to_string() }),
    }
}

/// Error for an item that has changed since it was looked up; the caller has to look it up again.
fn content_changed() -> DriveError {
    DriveError::Ambiguous("the item has changed since it was looked up".into())
}

/// Cuts the range out of the whole content.
fn slice(body: &Bytes, range: &Range<u64>) -> Result<Bytes, DriveError> {
    match (usize::try_from(range.start), usize::try_from(range.end)) {
        (Ok(start), Ok(end)) if end <= body.len() => Ok(body.slice(start..end)),
        _ => Err(content_changed()),
    }
}

/// Parses the `Content-Range` header (`bytes 0-9/100`) as range and total size.
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

    fn answer(status: u16, range: Option<&'static str>, body: &'static [u8]) -> GraphResponse {
        let mut headers = HeaderMap::new();
        if let Some(range) = range {
            headers.insert(CONTENT_RANGE, HeaderValue::from_static(range));
        }
        let status = StatusCode::from_u16(status).unwrap();
        GraphResponse { status, retry_after: None, headers, body: Bytes::from_static(body) }
    }

    #[test]
    fn range_is_accepted_only_from_the_unchanged_item() {
        let read = |answer| part(&answer, &(2..5), 9).ok();
        assert_eq!(read(answer(206, Some("bytes 2-4/9"), b"cde")), Some("cde".into()));
        assert_eq!(read(answer(200, None, b"abcdefghi")), Some("cde".into()));
        for (status, range, body) in [
            (206, Some("bytes 2-4/10"), &b"cde"[..]),
            (206, Some("bytes 0-2/9"), b"abc"),
            (206, Some("bytes 2-4/*"), b"cde"),
            (206, None, b"cde"),
            (206, Some("bytes 2-4/9"), b"cd"),
            (200, None, b"abc"),
            (204, None, b""),
            (302, None, b""),
            (404, None, b""),
        ] {
            assert_eq!(read(answer(status, range, body)), None, "{status} {range:?}");
        }
    }

    #[test]
    fn range_header_contains_the_last_byte_position() {
        assert_eq!(range_header(&(2..5)).unwrap(), "bytes=2-4");
        assert!(range_header(&(5..5)).is_err());
    }
}
