//! Conflict policy: what a deployment does when a file of the document's name already exists
//! in OneDrive.

use std::str::FromStr;

/// Action of docferry when a file of the document's name exists at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConflictPolicy {
    /// Replace the file; OneDrive keeps the old version in its history.
    #[default]
    Replace,
    /// Keep both files. The new file gets a number in its name.
    Rename,
    /// Keep the old file and fail the transfer.
    Fail,
}

impl ConflictPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Replace, Self::Rename, Self::Fail];

    /// Returns the name of the policy in Graph.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Rename => "rename",
            Self::Fail => "fail",
        }
    }
}

impl FromStr for ConflictPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "replace" => Ok(Self::Replace),
            "rename" => Ok(Self::Rename),
            "fail" => Ok(Self::Fail),
            _ => Err("must be replace, rename or fail"),
        }
    }
}
