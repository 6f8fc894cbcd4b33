//! Destination of an upload in the Microsoft Graph simulator, and the *conflict behavior*: how the
//! upload proceeds if an item with its name exists at the destination.

use crate::error::GraphError;

/// Path of a file in a user's drive. Paths that differ only in case are the same destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    upn: String,
    lower_case_path: String,
}

impl Destination {
    /// Returns the destination at the given path from the root of the user's drive.
    pub(crate) fn new(upn: &str, path: &[String]) -> Self {
        Self { upn: upn.to_owned(), lower_case_path: path.join("/").to_lowercase() }
    }
}

/// Conflict behavior of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The upload fails.
    Fail,
    /// The upload replaces the existing file.
    Replace,
    /// The upload stores its file under a numbered name.
    Rename,
}

impl Conflict {
    /// Parses the value of `@microsoft.graph.conflictBehavior`.
    pub(crate) fn parse(text: &str) -> Result<Self, GraphError> {
        match text {
            "fail" => Ok(Self::Fail),
            "replace" => Ok(Self::Replace),
            "rename" => Ok(Self::Rename),
            _ => Err(GraphError::invalid("conflictBehavior is fail, replace or rename.")),
        }
    }
}
