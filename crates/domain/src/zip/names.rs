//! Names of entries that every common system can extract.
//!
//! An *entry* is a file in the archive. The rules for its name are those of Windows, which are the
//! strictest, and the limit of 255 bytes of Linux. A name contains no path.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use crate::text::{fold_case, is_unprintable};

/// Name of the list of documents inside the archive. No document has this name.
pub const MANIFEST_NAME: &str = "manifest.json";

/// Name of a document whose own name has no usable character.
const UNNAMED: &str = "document";
/// Characters that Windows does not allow in a name. They include the separators of paths, of
/// drives and of streams.
const FORBIDDEN: &[char] = &['"', '*', '/', ':', '<', '>', '?', '\\', '|'];
/// Maximum length of an extension with its period that is retained in a shortened name, in bytes.
const MAX_RETAINED_EXTENSION: usize = 64;

/// Name of a document inside the archive. `Debug` hides it.
///
/// A name satisfies these rules:
///
/// - It has 1 to 255 bytes of UTF-8.
/// - It contains no character that Windows forbids or that cannot be displayed.
/// - It does not end with a period or a space.
/// - It is neither a device name of Windows, such as `con`, nor [`MANIFEST_NAME`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryName(String);

/// Error for a text that is not a safe name of an entry. The message states the rule, never the
/// text. Use [`entry_names`](super::entry_names) to get safe names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to 255 bytes without path separators, control characters or trailing periods and spaces, and neither a device name nor manifest.json"
)]
pub struct InvalidEntryName;

impl EntryName {
    /// Maximum length, in bytes of UTF-8.
    pub const MAX_LEN: usize = 255;

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes a safe name from a file name. Replaces each forbidden character by `_`, removes
    /// periods and spaces at the end, puts `_` before a device name, and shortens the stem. A name
    /// without any usable character becomes `document`.
    ///
    /// The result may equal the name of the manifest or of another document. So only
    /// [`entry_names`](super::entry_names) may call this function.
    pub(super) fn adapted_from(file_name: &str) -> Self {
        Self(safe_name(file_name))
    }

    /// Returns the name with a number before its extension: `stem(1).ext`. The stem is shortened
    /// if necessary.
    pub(super) fn numbered(&self, number: u64) -> Self {
        Self(with_suffix(&self.0, &format!("({number})")))
    }

    /// Returns the number template of the name: the comparison key of the name with `digits` zeros
    /// as its number. Two names with the same template would get equal names from equal numbers of
    /// this length.
    pub(super) fn number_template(&self, digits: usize) -> String {
        let numbered = with_suffix(&self.0, &format!("({})", "0".repeat(digits)));
        comparison_key(&numbered)
    }

    /// Returns the form in which names are compared. Two names with the same form cannot be in one
    /// folder of a system that ignores case.
    pub(super) fn comparison_key(&self) -> String {
        comparison_key(&self.0)
    }
}

/// Converts to NFC and folds the case.
///
/// `to_lowercase` is not enough: its result for a sigma depends on the position in the word, and it
/// does not unite letters such as `ſ` and `s`. So each character is folded too. Lower case may form
/// new combinations, such as `j` and a caron, so NFC is applied again.
fn comparison_key(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let lower = nfc(name.to_owned()).to_lowercase();
    nfc(lower.chars().map(fold_case).collect())
}

/// Converts to Unicode's normal form C. Most texts have it already.
fn nfc(text: String) -> String {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text,
        IsNormalized::No | IsNormalized::Maybe => text.nfc().collect(),
    }
}

fn safe_name(file_name: &str) -> String {
    let is_forbidden = |c: char| match c.is_ascii() {
        true => FORBIDDEN.contains(&c) || c.is_ascii_control(),
        false => is_unprintable(c),
    };
    let replaced: String =
        file_name.chars().map(|c| if is_forbidden(c) { '_' } else { c }).collect();
    let short = with_suffix(trimmed(&replaced), "");
    if short.is_empty() {
        UNNAMED.to_owned()
    } else if is_device_name(&short) {
        with_suffix(&format!("_{short}"), "")
    } else {
        short
    }
}

fn trimmed(name: &str) -> &str {
    name.trim_end_matches(['.', ' '])
}

/// Inserts a suffix between the stem and the extension. Shortens the stem so that the result has at
/// most [`EntryName::MAX_LEN`] bytes.
fn with_suffix(name: &str, suffix: &str) -> String {
    let (stem, extension) = match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= MAX_RETAINED_EXTENSION => name.split_at(at),
        _ => (name, ""),
    };
    let room = EntryName::MAX_LEN.saturating_sub(suffix.len() + extension.len());
    let stem = &stem[..stem.floor_char_boundary(room)];
    trimmed(&format!("{stem}{suffix}{extension}")).to_owned()
}

/// Returns whether Windows opens a device instead of a file of this name. An extension and the
/// spaces before it make no difference.
///
/// Source: Microsoft, "Naming Files, Paths, and Namespaces". Windows also reserves the names of the
/// console, `conin$` and `conout$`, which are not in that list.
fn is_device_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ');
    let folded: String = stem.chars().map(fold_case).collect();
    let is_numbered = |device: &str| {
        let number = folded.strip_prefix(device).map(|number| number.chars());
        number.is_some_and(|mut number| {
            matches!(number.next(), Some('0'..='9' | '¹' | '²' | '³')) && number.next().is_none()
        })
    };
    matches!(folded.as_str(), "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || is_numbered("com")
        || is_numbered("lpt")
}

impl TryFrom<String> for EntryName {
    type Error = InvalidEntryName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_valid = safe_name(&text) == text && comparison_key(&text) != MANIFEST_NAME;
        if is_valid { Ok(Self(text)) } else { Err(InvalidEntryName) }
    }
}

impl From<EntryName> for String {
    fn from(name: EntryName) -> Self {
        name.0
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntryName(…)")
    }
}
