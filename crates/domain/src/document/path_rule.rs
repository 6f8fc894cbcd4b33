//! Rules of OneDrive for the names of files and folders, and for paths.
//!
//! A *segment* is one name in a path. The modules `name` and `folder` call [`check_segment`] for
//! new names. For names in stored records, they call [`check_stored`], which is less strict.

use crate::text::{fold_case, is_unprintable};

/// Maximum length of a decoded path below the drive's root, in UTF-16 units (OneDrive).
pub(super) const MAX_PATH: usize = 400;
/// Maximum length of a single name, in UTF-16 units (OneDrive).
pub(super) const MAX_SEGMENT: usize = 255;
/// Characters that OneDrive does not allow in a name.
pub(super) const FORBIDDEN: &[char] = &['"', '*', ':', '<', '>', '?', '/', '\\', '|'];
/// Text that OneDrive does not allow in a name, in upper or lower case.
pub(super) const VTI: &str = "_vti_";

/// Rule of OneDrive that a name or path breaks.
///
/// Source: Microsoft, "Restrictions and limitations in OneDrive and SharePoint".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathRule {
    /// The name is empty.
    #[error("a name must not be empty")]
    Empty,
    /// The name contains a forbidden character, or one that cannot be displayed.
    #[error(
        "a name must not contain any of \" * : < > ? / \\ | or a control character, a direction mark, U+FFFD or another code point that cannot be displayed"
    )]
    ForbiddenCharacter,
    /// The name begins or ends with a space.
    #[error("a name must not begin or end with a space")]
    OuterSpace,
    /// The name ends with a period.
    #[error("a name must not end with a period")]
    TrailingPeriod,
    /// The name is reserved by OneDrive.
    #[error(
        "a name must not be one of .lock, CON, PRN, AUX, NUL, COM0–COM9, LPT0–LPT9, desktop.ini, begin with ~$ or contain _vti_"
    )]
    Reserved,
    /// The name is `forms`, directly below the root.
    #[error("a name directly below the root must not be \"forms\"")]
    FormsAtRoot,
    /// A single name is too long.
    #[error("a name must be at most 255 characters")]
    SegmentTooLong,
    /// The whole path is too long.
    #[error("a path must be at most 400 characters")]
    PathTooLong,
}

/// Checks a stored name by the rules that every version of docferry has applied. An older version
/// may have stored names that [`check_segment`] refuses.
pub(super) fn check_stored(segment: &str) -> Result<(), PathRule> {
    if segment.is_empty() {
        return Err(PathRule::Empty);
    }
    if segment.contains(FORBIDDEN) || segment.chars().any(char::is_control) {
        return Err(PathRule::ForbiddenCharacter);
    }
    Ok(())
}

/// Place of a segment in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SegmentPlace {
    /// Directly below the drive's root, where one more name is reserved.
    BelowRoot,
    /// Below another folder, or in a folder that is not known yet.
    Anywhere,
}

/// Checks one name by the present rules.
pub(super) fn check_segment(segment: &str, place: SegmentPlace) -> Result<(), PathRule> {
    check_stored(segment)?;
    if segment.chars().any(is_unprintable) {
        return Err(PathRule::ForbiddenCharacter);
    }
    if segment.starts_with(' ') || segment.ends_with(' ') {
        return Err(PathRule::OuterSpace);
    }
    if segment.ends_with('.') {
        return Err(PathRule::TrailingPeriod);
    }
    if is_reserved(segment) {
        return Err(PathRule::Reserved);
    }
    if place == SegmentPlace::BelowRoot && segment.eq_ignore_ascii_case("forms") {
        return Err(PathRule::FormsAtRoot);
    }
    if utf16_len(segment) > MAX_SEGMENT {
        return Err(PathRule::SegmentTooLong);
    }
    Ok(())
}

/// Returns whether OneDrive reserves the name.
pub(super) fn is_reserved(segment: &str) -> bool {
    let lower: String = segment.chars().map(fold_case).collect();
    let is_numbered_device = |stem: &str| {
        lower
            .strip_prefix(stem)
            .is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit())
    };
    matches!(lower.as_str(), ".lock" | "con" | "prn" | "aux" | "nul" | "desktop.ini")
        || is_numbered_device("com")
        || is_numbered_device("lpt")
        || lower.contains(VTI)
        || lower.starts_with("~$")
}

/// Replaces every `_vti_`, in any case, by `_vti-`.
pub(super) fn without_vti(name: &str) -> String {
    let mut characters: Vec<char> = name.chars().collect();
    // Compare each piece of the name that is as long as `_vti_`. `end` is one past its last
    // character.
    for end in VTI.len()..=characters.len() {
        if characters[end - VTI.len()..end].iter().copied().map(fold_case).eq(VTI.chars()) {
            characters[end - 1] = '-';
        }
    }
    characters.into_iter().collect()
}

/// Returns the length of a text in UTF-16 units, in which OneDrive counts.
pub(super) fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count()
}
