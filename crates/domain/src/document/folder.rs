//! Folders in OneDrive.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::DocumentName;
use super::path_rule::{MAX_PATH, PathRule, check_segment, check_stored, utf16_len};

/// Folder in the recipient's OneDrive; the root when it has no segments.
///
/// Leading and trailing slashes of the input are ignored. Parsing refuses everything that
/// OneDrive would refuse later, and names the rule.
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
    /// [`PathRule::PathTooLong`] or [`PathRule::FormsAtRoot`]. A name from a record of an
    /// older version may break any other rule.
    pub fn check_path(&self, name: &DocumentName) -> Result<(), PathRule> {
        check_segment(name.as_str(), self.0.is_empty())?;
        let folder: usize = self.0.iter().map(|s| utf16_len(s) + 1).sum();
        if folder + utf16_len(name.as_str()) > MAX_PATH {
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
            check_segment(segment, depth == 0)?;
        }
        // Reserve two units for a slash and the shortest name.
        if utf16_len(trimmed) + 2 > MAX_PATH {
            return Err(PathRule::PathTooLong);
        }
        Ok(Self(segments))
    }
}

/// Reads the stored form, which older versions checked less strictly.
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
