use std::ops::Range;

use aws_sdk_s3::primitives::ByteStream as Body;
use docferry_app::ports::ByteStream;
use futures::StreamExt as _;
use futures::stream;

use super::broken;

const CALL: &str = "S3 GetObject";

/// The range that an answer says it holds: from `Content-Range`, or, where a
/// store answers a range that is the whole object with a plain 200, from the
/// length. `None` when the two do not agree.
pub(super) fn given_range(content_range: Option<&str>, length: Option<i64>) -> Option<Range<u64>> {
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

/// The body, frame by frame as it comes in. An end before `length` bytes is an
/// error of the stream, so that a short fragment never looks like a whole one.
pub(super) fn exactly(body: Body, length: u64) -> ByteStream {
    stream::try_unfold((body, length), |(mut body, left)| async move {
        match body.next().await {
            Some(Ok(bytes)) => match left.checked_sub(bytes.len() as u64) {
                Some(left) => Ok(Some((bytes, (body, left)))),
                None => Err(broken(CALL, "the body is longer than announced")),
            },
            Some(Err(_)) => Err(broken(CALL, "the body broke off")),
            None if left == 0 => Ok(None),
            None => Err(broken(CALL, "the body ended early")),
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_counts_only_when_header_and_length_agree() {
        assert_eq!(given_range(Some("bytes 5-9/100"), Some(5)), Some(5..10));
        assert_eq!(given_range(Some("bytes 5-9/*"), Some(5)), Some(5..10));
        assert_eq!(given_range(None, Some(5)), Some(0..5));
        for (header, length) in [
            (Some("bytes 5-9/100"), Some(4)),
            (Some("bytes 9-5/100"), Some(5)),
            (Some("bytes */100"), Some(0)),
            (Some("items 5-9/100"), Some(5)),
            (Some("bytes 5-18446744073709551615/100"), Some(5)),
            (Some("bytes 5-9/100"), None),
            (None, Some(-1)),
        ] {
            assert_eq!(given_range(header, length), None, "{header:?}");
        }
    }
}
