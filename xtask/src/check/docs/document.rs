//! The Markdown documents that are checked.

/// A Markdown document of the project.
pub(super) struct Document {
    /// Path relative to the project's folder, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}
