//! Reasons why the documents cannot become one archive.

/// Error for an archive that cannot be stored. The caller refuses the request (413) before it
/// starts any work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveTooLarge {
    /// The archive, or its last part, has too many bytes.
    #[error("the documents have too many bytes for one archive; request fewer documents")]
    Bytes,
    /// The archive needs more parts than a multipart upload may have, or parts that are too large
    /// for the memory of the function.
    #[error("the documents need too many parts of an upload; request fewer documents")]
    Parts,
}
