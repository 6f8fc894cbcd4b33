//! Input and output of a download: the wanted document with its target file, and the downloaded
//! file.

use std::path::{Path, PathBuf};

use super::error::FetchError;
use super::name;
use super::part::ExistingFilePolicy;

/// A document to download, and its target.
#[derive(Debug)]
pub struct WantedDocument {
    /// The id by which the document is fetched.
    pub job_id: String,
    /// Size in bytes according to the service. A document of another size is rejected.
    pub size: Option<u64>,
    /// File name that is used when the response has none.
    pub fallback_name: String,
    /// Target folder.
    pub folder: PathBuf,
    /// File name in the target folder. `None` stands for the name in the response.
    pub name: Option<String>,
    /// Policy for a file that already exists.
    pub existing: ExistingFilePolicy,
}

/// A document that is at its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Size of the file in bytes.
    pub size: u64,
    /// Whether the file existed before and was left unchanged.
    pub skipped: bool,
}

impl WantedDocument {
    /// Path of the partial file, which contains the bytes until the download is complete.
    #[must_use]
    pub fn partial_path(&self) -> PathBuf {
        let stem =
            self.name.clone().unwrap_or_else(|| name::sanitized_or_default(&self.fallback_name));
        self.folder.join(format!("{stem}.part"))
    }
}

/// Result of a download from one presigned URL.
pub(super) enum DownloadResult {
    /// The document is complete; holds the path of its target.
    Complete(PathBuf),
    /// The target already exists and is left unchanged.
    AlreadyExists(FetchedFile),
}

/// Checks whether a file exists at `path`, and applies the policy for existing files. A path of
/// `None` is not known yet.
///
/// Returns `None` if the document is to be downloaded, and the existing file if it is to stay
/// unchanged. Fails if the file must not exist.
pub(super) fn check_existing(
    path: Option<&Path>,
    policy: ExistingFilePolicy,
) -> Result<Option<FetchedFile>, FetchError> {
    let Some(path) = path.filter(|_| policy != ExistingFilePolicy::Replace) else {
        return Ok(None);
    };
    // Links are not followed, because a dangling link occupies the name, too.
    match path.symlink_metadata() {
        Err(_) => Ok(None),
        Ok(_) if policy == ExistingFilePolicy::Refuse => {
            Err(FetchError::Exists { path: path.to_owned() })
        }
        Ok(file) => {
            Ok(Some(FetchedFile { path: path.to_owned(), size: file.len(), skipped: true }))
        }
    }
}
