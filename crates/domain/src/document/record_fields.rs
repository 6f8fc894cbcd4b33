//! Validated texts of a registry record: the document's id, file name, codes and groups.
//!
//! A *registry record* is the metadata of one document in the document registry. The macro
//! `checked_text` defines one type for each kind of text. A value of such a type always satisfies
//! the rule of the type.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::DocumentName;
use crate::text::{is_printable, media_type};

/// Error for a text that breaks the rule of its field. The message states the rule, never the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidField(pub(super) &'static str);

/// Defines a text type with its parser and its stored form. `$is_valid` is a function that checks a
/// text. `$rule` is the error text for an invalid text.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $is_valid:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidField;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let is_valid: fn(&str) -> bool = $is_valid;
                is_valid(text).then(|| Self(text.to_owned())).ok_or(InvalidField($rule))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidField;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

checked_text!(
    /// Id of a document in the registry. It has the form of a FHIR resource id
    /// (<https://hl7.org/fhir/R4/datatypes.html#id>).
    DocumentId,
    |text| {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        (1..=DocumentId::MAX_LEN).contains(&text.len()) && text.bytes().all(is_allowed)
    },
    "must be 1 to 64 letters, digits, hyphens and periods"
);

checked_text!(
    /// File name of a document at its source. `Debug` hides it.
    FileName,
    |text| {
        (1..=FileName::MAX_CHARS).contains(&text.chars().count())
            && is_printable(text)
            && text.trim() == text
            && !text.contains(['/', '\\'])
            && DocumentName::adapted_from(text).is_ok()
    },
    "must be a file name of 1 to 255 printable characters, without a path and without spaces at its ends"
);

checked_text!(
    /// Media type of a document, such as `application/pdf`.
    ContentType,
    |text| {
        // `media_type` returns a valid media type unchanged.
        (1..=ContentType::MAX_LEN).contains(&text.len())
            && media_type(text) == text
            && !text.contains('\t')
    },
    "must be a media type such as application/pdf"
);

checked_text!(
    /// Code of a document's type or category. It has the form of a FHIR code
    /// (<https://hl7.org/fhir/R4/datatypes.html#code>).
    Code,
    |text| text.len() <= Code::MAX_LEN && is_spaced_text(text),
    "must be 1 to 64 printable characters without spaces at its ends or two in a row"
);

checked_text!(
    /// Name of an entitlement group whose members may see a document.
    Group,
    |text| text.len() <= Group::MAX_LEN && is_spaced_text(text),
    "must be 1 to 64 printable characters without spaces at its ends or two in a row"
);

impl DocumentId {
    /// Maximum length, in bytes.
    pub const MAX_LEN: usize = 64;
}

impl FileName {
    /// Maximum length, in characters.
    pub const MAX_CHARS: usize = 255;
}

impl ContentType {
    /// Maximum length, in bytes. [`media_type`] has the same limit.
    pub const MAX_LEN: usize = 255;
}

impl Code {
    /// Maximum length, in bytes.
    pub const MAX_LEN: usize = 64;
}

impl Group {
    /// Maximum length, in bytes.
    pub const MAX_LEN: usize = 64;
}

/// Returns whether a text consists of printable words, with exactly one space between two words.
fn is_spaced_text(text: &str) -> bool {
    is_printable(text)
        && text.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
}

/// Implements `Debug` for types whose text may be shown.
macro_rules! debug_with_text {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }
    )*};
}

debug_with_text!(DocumentId, ContentType, Code, Group);

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileName(…)")
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_id_has_the_form_of_a_fhir_id() {
        for good in ["a", "0", "doc-1.2", &"x".repeat(64)] {
            assert!(good.parse::<DocumentId>().is_ok(), "{good}");
        }
        for bad in ["", "a_b", "a/b", "a b", "ä", "a#b", &"x".repeat(65)] {
            assert!(bad.parse::<DocumentId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn file_name_without_a_onedrive_form_is_refused() {
        for good in ["order.pdf", "a:b?.pdf", "ordonnance d'été.docx", &"法".repeat(255)] {
            assert!(good.parse::<FileName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "...", " a", "a ", "a/b", "a\\b", "a\u{202e}b", "a\nb"] {
            assert!(bad.parse::<FileName>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(256).parse::<FileName>().is_err());
        assert_eq!(format!("{:?}", "a.pdf".parse::<FileName>().unwrap()), "FileName(…)");
    }

    #[test]
    fn codes_have_single_spaces_only() {
        for good in ["order", "court order", "a|b,c", "décision"] {
            assert!(good.parse::<Code>().is_ok(), "{good}");
        }
        for bad in ["", " a", "a ", "a  b", "a\tb", "a\u{a0}b", "a\u{200b}b", &"x".repeat(65)] {
            assert!(bad.parse::<Code>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn content_type_is_a_media_type() {
        assert!("text/plain; charset=utf-8".parse::<ContentType>().is_ok());
        for bad in ["", "pdf", " text/plain", "text/plain;", "text/plain;\tcharset=utf-8"] {
            assert!(bad.parse::<ContentType>().is_err(), "{bad:?}");
        }
    }
}
