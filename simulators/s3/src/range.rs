//! Parser of the `Range` header.

/// Part of an object that a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The whole object, with status 200.
    Whole,
    /// The bytes `start..end`, with status 206.
    Part { start: u64, end: u64 },
    /// A range outside the object, answered with status 416.
    Beyond,
}

/// Parses the header. A malformed header, or one with several ranges, is ignored, as S3 does.
pub(crate) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some((first, last)) =
        header.and_then(|header| header.strip_prefix("bytes=")?.split_once('-'))
    else {
        return Wanted::Whole;
    };
    let number = |text: &str| text.parse::<u64>().ok();
    let (start, end) = match (number(first), number(last)) {
        (Some(start), Some(last)) if start <= last => (start, size.min(last.saturating_add(1))),
        (Some(start), None) if last.is_empty() => (start, size),
        (None, Some(tail)) if first.is_empty() => (size.saturating_sub(tail), size),
        _ => return Wanted::Whole,
    };
    if start < end { Wanted::Part { start, end } } else { Wanted::Beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_truncated_at_the_end_of_the_object() {
        let part = |start, end| Wanted::Part { start, end };
        for (header, expected) in [
            (None, Wanted::Whole),
            (Some("bytes=0-0"), part(0, 1)),
            (Some("bytes=5-"), part(5, 10)),
            (Some("bytes=5-99"), part(5, 10)),
            (Some("bytes=-3"), part(7, 10)),
            (Some("bytes=-30"), part(0, 10)),
            (Some("bytes=10-12"), Wanted::Beyond),
            (Some("bytes=-0"), Wanted::Beyond),
            (Some("bytes=7-3"), Wanted::Whole),
            (Some("bytes=0-1,3-4"), Wanted::Whole),
            (Some("lines=0-1"), Wanted::Whole),
        ] {
            assert_eq!(wanted(header, 10), expected, "{header:?}");
        }
    }
}
