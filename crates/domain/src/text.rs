//! Rules for text from callers and other systems: printable characters and media types.

use unicode_general_category::{GeneralCategory, get_general_category};

/// Character by which decoders replace bytes that are not valid text.
const REPLACEMENT: char = '\u{fffd}';

/// Zero-width non-joiner and joiner. Both are format characters, but Persian and Indic
/// words and joined emoji are spelled with them.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Returns whether a character is not allowed in a name: a control or format character
/// (direction marks among them), a line or paragraph separator, the replacement character,
/// or an unassigned code point. A name with one looks like another name, changes how the
/// text beside it is displayed, or is lost between two systems.
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

/// Folds the case of a character. Two characters that differ only in case have the same
/// result, even if one is not ASCII: `ſ` and `K` (Kelvin) become `s` and `k`.
pub(crate) fn fold(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper.to_lowercase().next().unwrap_or(upper),
        _ => c,
    }
}

/// Maximum length of a media type, in bytes: two names of RFC 6838 and a parameter.
const LONGEST_MEDIA_TYPE: usize = 255;

/// Media type of bytes whose format is unknown.
const ANY_BYTES: &str = "application/octet-stream";

/// Returns `foreign` if it is a media type that a header may contain (RFC 9110, 8.3.1),
/// otherwise `application/octet-stream`.
#[must_use]
pub fn media_type(foreign: &str) -> &str {
    let text = foreign.trim_matches([' ', '\t']);
    if text.len() <= LONGEST_MEDIA_TYPE && is_media_type(text) { text } else { ANY_BYTES }
}

fn is_media_type(text: &str) -> bool {
    let (essence, parameters) = match text.split_once(';') {
        Some((essence, parameters)) => (essence.trim_end_matches([' ', '\t']), Some(parameters)),
        None => (text, None),
    };
    let is_essence =
        essence.split_once('/').is_some_and(|(kind, name)| is_token(kind) && is_token(name));
    is_essence && parameters.is_none_or(are_parameters)
}

/// Returns whether the text is one or more `name=value`, separated by semicolons.
fn are_parameters(text: &str) -> bool {
    let mut rest = text;
    loop {
        let Some((name, value)) = rest.split_once('=') else { return false };
        if !is_token(name.trim_start_matches([' ', '\t'])) {
            return false;
        }
        let Some(after) = after_value(value) else { return false };
        let after = after.trim_start_matches([' ', '\t']);
        match after.strip_prefix(';') {
            Some(next) => rest = next,
            None => return after.is_empty(),
        }
    }
}

/// Returns the text after a token or a quoted string; `None` when the text begins with
/// neither.
fn after_value(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c| !is_token_character(c)).unwrap_or(text.len());
        return text.get(end..).filter(|_| end > 0);
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if c != '\t' && c != ' ' && !c.is_ascii_graphic() => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return quoted.get(at + 1..),
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
        for plane in 0..=16_u32 {
            for low in [0xfffe, 0xffff] {
                let c = char::from_u32(plane * 0x1_0000 + low).unwrap();
                assert!(is_unprintable(c), "U+{:04X}", u32::from(c));
            }
        }
    }

    #[test]
    fn letters_signs_joiners_and_emoji_are_printable() {
        for c in "aÄß 法廷#%+'🏛\u{301}\u{fe0f}\u{200c}\u{200d}\u{e000}\u{a0}".chars() {
            assert!(!is_unprintable(c), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn valid_media_types_pass_unchanged() {
        for good in [
            "application/pdf",
            "text/plain; charset=utf-8",
            "multipart/mixed;boundary=\"a b;\\\"c\" ; x=y",
            "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
            "image/svg+xml",
        ] {
            assert_eq!(media_type(good), good);
        }
        assert_eq!(media_type("  application/pdf\t"), "application/pdf");
    }

    #[test]
    fn invalid_media_type_becomes_octet_stream() {
        let long = format!("application/{}", "x".repeat(300));
        for bad in [
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
            long.as_str(),
        ] {
            assert_eq!(media_type(bad), ANY_BYTES, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_media_type_is_valid_in_a_header(
            foreign in "(\\PC|[\\x00-\\x7f]){0,40}",
            kind in "[a-z]{1,9}/[a-z.+-]{1,20}",
            tail in "(;| |[\\x00-\\x7f]|\\PC){0,9}",
        ) {
            for text in [foreign, format!("{kind}{tail}")] {
                let media_type = media_type(&text);
                let is_plain = |b: u8| b == b' ' || b == b'\t' || b.is_ascii_graphic();
                prop_assert!(media_type.bytes().all(is_plain));
                prop_assert!(media_type.len() <= LONGEST_MEDIA_TYPE);
                prop_assert!(media_type.contains('/'));
            }
        }
    }
}
