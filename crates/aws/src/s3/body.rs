//! Checks that the response to a range request on the exchange bucket is exactly the requested
//! range.

use std::ops::Range;

use aws_sdk_s3::primitives::ByteStream as Body;
use docferry_app::ports::ByteStream;
use futures::StreamExt as _;
use futures::stream;

use super::failure::unexpected;

const CALL: &str = "S3 GetObject";

/// Returns the byte range that a response contains according to its headers, or `None` if the
/// headers contradict each other.
///
/// The header `Content-Range` contains the range. If the range is the whole object, some stores
/// respond with status 200 and without this header. The range then follows from the length.
pub(super) fn response_range(
    content_range: Option<&str>,
    length: Option<i64>,
) -> Option<Range<u64>> {
    let length = u64::try_from(length?).ok()?;
    let Some(content_range) = content_range else {
        return Some(0..length);
    };
    let (range, _total) = content_range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let first: u64 = first.trim().parse().ok()?;
    let end = last.trim().parse::<u64>().ok()?.checked_add(1)?;
    (end.checked_sub(first)? == length).then_some(first..end)
}

/// Streams the body chunk by chunk. The stream ends with an error unless the body has exactly
/// `length` bytes, so that a truncated body is never taken for a complete one.
pub(super) fn with_exact_length(body: Body, length: u64) -> ByteStream {
    stream::try_unfold((body, length), |(mut body, remaining)| async move {
        match body.next().await {
            Some(Ok(bytes)) => match remaining.checked_sub(bytes.len() as u64) {
                Some(remaining) => Ok(Some((bytes, (body, remaining)))),
                None => Err(unexpected(CALL, "the body is longer than announced")),
            },
            Some(Err(_)) => Err(unexpected(CALL, "the connection broke within the body")),
            None if remaining == 0 => Ok(None),
            None => Err(unexpected(CALL, "the body ended early")),
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_is_accepted_only_if_it_matches_the_length() {
        assert_eq!(response_range(Some("bytes 5-9/100"), Some(5)), Some(5..10));
        assert_eq!(response_range(Some("bytes 5-9/*"), Some(5)), Some(5..10));
        assert_eq!(response_range(None, Some(5)), Some(0..5));
        // The fifth range ends at the largest `u64`, so the byte after it has no number.
        for (header, length) in [
            (Some("bytes 5-9/100"), Some(4)),
            (Some("bytes 9-5/100"), Some(5)),
            (Some("bytes */100"), Some(0)),
            (Some("items 5-9/100"), Some(5)),
            (Some("bytes 5-18446744073709551615/100"), Some(5)),
            (Some("bytes 5-9/100"), None),
            (None, Some(-1)),
        ] {
            assert_eq!(response_range(header, length), None, "{header:?}");
        }
    }
}
