//! Decoding and encoding of query strings and form bodies (`application/x-www-form-urlencoded`).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All characters to percent-encode: every character that RFC 3986 does not call unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Decodes a query string or form body. Empty pairs are skipped.
///
/// Returns `None` if an escape is malformed or the text is not UTF-8.
pub(crate) fn decode(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode_part(name)?, decode_part(value)?))
        })
        .collect()
}

fn decode_part(text: &str) -> Option<String> {
    let mut escapes = text.split('%').skip(1);
    let is_escape =
        |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if !escapes.all(is_escape) {
        return None;
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(String::from)
}

/// Encodes parameters as a query string.
pub(crate) fn encode<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encode = |text| utf8_percent_encode(text, RESERVED);
    let pairs = pairs.map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_spellings_of_a_colon_are_decoded() {
        for text in [
            "subject:identifier=a|b+c",
            "subject%3Aidentifier=a%7Cb%20c&",
            "&subject%3aidentifier=a%7cb c",
        ] {
            let expected = vec![("subject:identifier".to_owned(), "a|b c".to_owned())];
            assert_eq!(decode(text), Some(expected), "{text}");
        }
        assert_eq!(decode("a"), Some(vec![("a".to_owned(), String::new())]));
        assert_eq!(decode(""), Some(vec![]));
        for bad in ["a=%", "a=%4", "a=%zz", "a=%ff", "%g0=a"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn encoded_parameters_are_decoded_unchanged(
            pairs in proptest::collection::vec(("\\PC{1,5}", "(\\PC|[\\x00-\\x7f]){0,9}"), 0..4),
        ) {
            let text = encode(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            prop_assert_eq!(decode(&text), Some(pairs));
        }
    }
}
