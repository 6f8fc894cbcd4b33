//! Rules for text that comes from callers and from other systems: which characters can be
//! displayed safely, and which media types may be put into a header.

use unicode_general_category::{GeneralCategory, get_general_category};

/// Character with which decoders replace bytes that are not valid text.
const REPLACEMENT: char = '\u{fffd}';

/// Zero-width non-joiner and joiner. Both are format characters, but they are part of the
/// spelling of Persian and Indic words and of combined emoji.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Maximum length of a media type, in bytes. It is enough for two names of RFC 6838 and a
/// parameter.
const LONGEST_MEDIA_TYPE: usize = 255;

/// Media type of bytes whose format is unknown.
const OCTET_STREAM: &str = "application/octet-stream";

/// Returns whether a character is not allowed in a name because it cannot be displayed.
///
/// Such characters are control and format characters (including direction marks), line and
/// paragraph separators, the replacement character and unassigned code points. A name that
/// contains one may look like a different name, may change the display of the text beside it,
/// or may be changed by another system.
pub(crate) fn is_unprintable(c: char) -> bool {
    let is_format_or_unassigned = || {
        matches!(
            get_general_category(c),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::Surrogate
                | GeneralCategory::Unassigned
        )
    };
    c == REPLACEMENT || (!JOINERS.contains(&c) && is_format_or_unassigned())
}

/// Returns whether a text has no control characters, direction marks or unassigned code
/// points, so that it can be displayed as it is.
#[must_use]
pub fn is_printable(text: &str) -> bool {
    !text.chars().any(is_unprintable)
}

/// Folds the case of a character: characters that differ only in case give the same result.
/// For example, the non-ASCII characters `ſ` and `K` (Kelvin) become `s` and `k`.
pub(crate) fn fold_case(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper.to_lowercase().next().unwrap_or(upper),
        _ => c,
    }
}

/// Returns `foreign` without outer white space if it is a valid media type (RFC 9110, 8.3.1), which
/// a header may contain. Returns `application/octet-stream` for any other text.
#[must_use]
pub fn media_type(foreign: &str) -> &str {
    let text = foreign.trim_matches([' ', '\t']);
    if text.len() <= LONGEST_MEDIA_TYPE && is_media_type(text) { text } else { OCTET_STREAM }
}

/// Returns whether the text is `type/subtype`, with or without parameters.
fn is_media_type(text: &str) -> bool {
    // The essence is the part `type/subtype` before the parameters.
    let (essence, parameters) = match text.split_once(';') {
        Some((essence, parameters)) => (essence.trim_end_matches([' ', '\t']), Some(parameters)),
        None => (text, None),
    };
    let is_essence =
        essence.split_once('/').is_some_and(|(main, sub)| is_token(main) && is_token(sub));
    is_essence && parameters.is_none_or(are_parameters)
}

/// Returns whether the text is a list of one or more `name=value`, separated by semicolons.
fn are_parameters(text: &str) -> bool {
    let mut remaining = text;
    loop {
        let Some((name, value_and_next)) = remaining.split_once('=') else { return false };
        if !is_token(name.trim_start_matches([' ', '\t'])) {
            return false;
        }
        let Some(after_value) = skip_value(value_and_next) else { return false };
        let after_value = after_value.trim_start_matches([' ', '\t']);
        match after_value.strip_prefix(';') {
            Some(next_parameters) => remaining = next_parameters,
            None => return after_value.is_empty(),
        }
    }
}

/// Returns the text after the token or quoted string at its beginning, or `None` when the
/// text begins with neither.
fn skip_value(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c| !is_token_character(c)).unwrap_or(text.len());
        return text.get(end..).filter(|_| end > 0);
    };
    let mut is_escaped = false;
    for (index, c) in quoted.char_indices() {
        match c {
            _ if c != '\t' && c != ' ' && !c.is_ascii_graphic() => return None,
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return quoted.get(index + 1..),
            _ => {}
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_character)
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_format_and_unassigned_code_points_are_unprintable() {
        let ranges = [
            ('\0', '\u{1f}'),
            ('\u{7f}', '\u{9f}'),
            ('\u{ad}', '\u{ad}'),
            ('\u{61c}', '\u{61c}'),
            ('\u{200b}', '\u{200b}'),
            ('\u{200e}', '\u{200f}'),
            ('\u{2028}', '\u{202e}'),
            ('\u{2060}', '\u{206f}'),
            ('\u{fdd0}', '\u{fdef}'),
            ('\u{feff}', '\u{feff}'),
            ('\u{fff9}', '\u{fffb}'),
            ('\u{fffd}', '\u{ffff}'),
            ('\u{e0000}', '\u{e007f}'),
            ('\u{378}', '\u{379}'),
        ];
        for (first, last) in ranges {
            for c in first..=last {
                assert!(is_unprintable(c), "U+{:04X}", u32::from(c));
            }
        }
        // The last two code points of each Unicode plane are never characters.
        for plane in 0..=16_u32 {
            for low in [0xfffe, 0xffff] {
                let c = char::from_u32(plane * 0x1_0000 + low).unwrap();
                assert!(is_unprintable(c), "U+{:04X}", u32::from(c));
            }
        }
    }

    #[test]
    fn letters_symbols_joiners_and_emoji_are_printable() {
        for c in "aÄß 法廷#%+'🏛\u{301}\u{fe0f}\u{200c}\u{200d}\u{e000}\u{a0}".chars() {
            assert!(!is_unprintable(c), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn valid_media_types_pass_unchanged() {
        for valid in [
            "application/pdf",
            "text/plain; charset=utf-8",
            "multipart/mixed;boundary=\"a b;\\\"c\" ; x=y",
            "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
            "image/svg+xml",
        ] {
            assert_eq!(media_type(valid), valid);
        }
        assert_eq!(media_type("  application/pdf\t"), "application/pdf");
    }

    #[test]
    fn invalid_media_type_becomes_octet_stream() {
        let too_long = format!("application/{}", "x".repeat(300));
        for invalid in [
            "",
            "pdf",
            "application/",
            "/pdf",
            "application/pdf\nX-Evil: 1",
            "application/pdf\r\n",
            "application/p d f",
            "application/pdf;",
            "application/pdf; charset",
            "application/pdf; =x",
            "application/pdf; a=\"b",
            "application/pdf; a=\"b\" c",
            "application/pdf; a=\"\u{7f}\"",
            "application/pdf, text/html",
            "anwendung/größe",
            "text/html\0",
            too_long.as_str(),
        ] {
            assert_eq!(media_type(invalid), OCTET_STREAM, "{invalid:?}");
        }
    }

    proptest! {
        #[test]
        fn every_media_type_is_valid_in_a_header(
            foreign in "(\\PC|[\\x00-\\x7f]){0,40}",
            essence in "[a-z]{1,9}/[a-z.+-]{1,20}",
            tail in "(;| |[\\x00-\\x7f]|\\PC){0,9}",
        ) {
            for text in [foreign, format!("{essence}{tail}")] {
                let media_type = media_type(&text);
                let is_allowed =
                    |byte: u8| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic();
                prop_assert!(media_type.bytes().all(is_allowed));
                prop_assert!(media_type.len() <= LONGEST_MEDIA_TYPE);
                prop_assert!(media_type.contains('/'));
            }
        }
    }
}
