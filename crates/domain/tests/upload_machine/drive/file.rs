//! Files on the simulated drive.

/// A file, as everyone sees it on the drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct File {
    /// Number of bytes in the file.
    pub(crate) size: u64,
    pub(crate) content: Content,
}

/// Content of a file or of an upload session, as far as the test knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// The upload did not write the file.
    Foreign,
    /// All bytes are from this version of the source.
    Version(u32),
    /// The upload has mixed bytes of different versions of the source. This is a defect.
    MixedVersions,
}

impl File {
    /// Returns whether the upload wrote the file.
    pub(crate) fn is_from_upload(&self) -> bool {
        self.content != Content::Foreign
    }
}
