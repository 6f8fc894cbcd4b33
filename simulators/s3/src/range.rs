//! Parser for the `Range` header of requests to the S3 simulator.

/// Part of an object that a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RequestedRange {
    /// The whole object, with status 200.
    Whole,
    /// The bytes `start..end`, with status 206.
    Part { start: u64, end: u64 },
    /// A range outside the object, with status 416.
    Beyond,
}

/// Parses the header for an object of this size. Ignores a header that is malformed or has several
/// ranges, as S3 does.
pub(crate) fn parse_range(header: Option<&str>, size: u64) -> RequestedRange {
    let Some((first, last)) =
        header.and_then(|header| header.strip_prefix("bytes=")?.split_once('-'))
    else {
        return RequestedRange::Whole;
    };
    let number = |text: &str| text.parse::<u64>().ok();
    let (start, end) = match (number(first), number(last)) {
        (Some(start), Some(last)) if start <= last => (start, size.min(last.saturating_add(1))),
        (Some(start), None) if last.is_empty() => (start, size),
        (None, Some(suffix_length)) if first.is_empty() => {
            (size.saturating_sub(suffix_length), size)
        }
        _ => return RequestedRange::Whole,
    };
    if start < end { RequestedRange::Part { start, end } } else { RequestedRange::Beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_truncated_at_the_end_of_the_object() {
        let part = |start, end| RequestedRange::Part { start, end };
        for (header, expected) in [
            (None, RequestedRange::Whole),
            (Some("bytes=0-0"), part(0, 1)),
            (Some("bytes=5-"), part(5, 10)),
            (Some("bytes=5-99"), part(5, 10)),
            (Some("bytes=-3"), part(7, 10)),
            (Some("bytes=-30"), part(0, 10)),
            (Some("bytes=10-12"), RequestedRange::Beyond),
            (Some("bytes=-0"), RequestedRange::Beyond),
            (Some("bytes=7-3"), RequestedRange::Whole),
            (Some("bytes=0-1,3-4"), RequestedRange::Whole),
            (Some("lines=0-1"), RequestedRange::Whole),
        ] {
            assert_eq!(parse_range(header, 10), expected, "{header:?}");
        }
    }
}
