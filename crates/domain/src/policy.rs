use std::str::FromStr;

/// What happens when a file of that name is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConflictPolicy {
    /// Overwrite it; OneDrive keeps the old version in its history.
    #[default]
    Replace,
    /// Keep both; the new one is numbered.
    Rename,
    /// Keep the old one and fail.
    Fail,
}

impl ConflictPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Replace, Self::Rename, Self::Fail];

    /// Graph's name of the policy.
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
