//! Folder of a recipient's OneDrive, as a path of names that OneDrive accepts.
//!
//! A *segment* is one name in a path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::DocumentName;
use super::path_rule::{MAX_PATH, PathRule, SegmentPlace, check_segment, check_stored, utf16_len};

/// Folder in the recipient's OneDrive. A folder without segments is the root.
///
/// There are two ways to create a folder. `FromStr` parses the folder of a request by all present
/// rules, and ignores slashes at both ends. `TryFrom` reads a stored folder by less strict rules.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DriveFolder(Vec<String>);

impl DriveFolder {
    /// Returns the folder names from the root downwards.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Checks whether a document of this name is allowed in this folder.
    ///
    /// # Errors
    /// [`PathRule::PathTooLong`] or [`PathRule::FormsAtRoot`]. A name that an older version stored
    /// may also break one of the rules for single names.
    pub fn check_path(&self, name: &DocumentName) -> Result<(), PathRule> {
        let is_root = self.0.is_empty();
        let place = if is_root { SegmentPlace::BelowRoot } else { SegmentPlace::Anywhere };
        check_segment(name.as_str(), place)?;
        let folder_len: usize = self.0.iter().map(|segment| utf16_len(segment) + 1).sum();
        if folder_len + utf16_len(name.as_str()) > MAX_PATH {
            Err(PathRule::PathTooLong)
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for DriveFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DriveFolder({} segments)", self.0.len())
    }
}

impl FromStr for DriveFolder {
    type Err = PathRule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim_matches('/');
        if trimmed.is_empty() {
            return Ok(Self::default());
        }
        let segments: Vec<String> = trimmed.split('/').map(str::to_owned).collect();
        for (depth, segment) in segments.iter().enumerate() {
            let place = if depth == 0 { SegmentPlace::BelowRoot } else { SegmentPlace::Anywhere };
            check_segment(segment, place)?;
        }
        // Reserve two units for a slash and the shortest name.
        if utf16_len(trimmed) + 2 > MAX_PATH {
            return Err(PathRule::PathTooLong);
        }
        Ok(Self(segments))
    }
}

/// Reads a stored path. Older versions accepted paths by less strict rules, so only these rules
/// apply.
impl TryFrom<String> for DriveFolder {
    type Error = PathRule;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let segments: Vec<String> = text.split('/').map(str::to_owned).collect();
        segments.iter().try_for_each(|segment| check_stored(segment))?;
        Ok(Self(segments))
    }
}

impl From<DriveFolder> for String {
    fn from(folder: DriveFolder) -> Self {
        folder.0.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_may_contain_symbols_and_letters_of_any_script() {
        let folder: DriveFolder = "/Court Lists/#3 50% + l'été/法廷/".parse().unwrap();
        assert_eq!(folder.segments(), ["Court Lists", "#3 50% + l'été", "法廷"]);
        assert_eq!("".parse::<DriveFolder>().unwrap(), DriveFolder::default());
        assert_eq!("/".parse::<DriveFolder>().unwrap(), DriveFolder::default());
    }

    #[test]
    fn invalid_onedrive_path_is_refused_with_its_rule() {
        for (path, rule) in [
            ("a//b", PathRule::Empty),
            ("a:b", PathRule::ForbiddenCharacter),
            ("a\\b", PathRule::ForbiddenCharacter),
            ("a\u{7}b", PathRule::ForbiddenCharacter),
            ("a\u{fffd}b", PathRule::ForbiddenCharacter),
            ("x/a\u{202e}b", PathRule::ForbiddenCharacter),
            ("a\u{ffff}b", PathRule::ForbiddenCharacter),
            ("a\u{200b}b", PathRule::ForbiddenCharacter),
            (" a", PathRule::OuterSpace),
            ("a /b", PathRule::OuterSpace),
            ("a./b", PathRule::TrailingPeriod),
            ("../up", PathRule::TrailingPeriod),
            ("x/con", PathRule::Reserved),
            ("LPT9", PathRule::Reserved),
            ("~$x", PathRule::Reserved),
            ("my_VTI_x", PathRule::Reserved),
            ("Forms/x", PathRule::FormsAtRoot),
        ] {
            assert_eq!(path.parse::<DriveFolder>(), Err(rule), "{path}");
        }
        assert!("x/forms".parse::<DriveFolder>().is_ok());
        assert!("COM10".parse::<DriveFolder>().is_ok());
        assert_eq!("x".repeat(256).parse::<DriveFolder>(), Err(PathRule::SegmentTooLong));
        // Five names and four slashes have 499 characters.
        let deep = vec!["y".repeat(99); 5].join("/");
        assert_eq!(deep.parse::<DriveFolder>(), Err(PathRule::PathTooLong));
    }
}
