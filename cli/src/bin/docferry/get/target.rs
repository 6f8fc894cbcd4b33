//! The target of `docferry get`: the folder and the file name of downloaded documents, from the
//! arguments.

use std::fs;
use std::path::PathBuf;

use docferry_cli::fetch::{ExistingFilePolicy, FetchError};

use crate::args::Get;
use crate::error::CliError;

/// Target of the downloaded documents.
pub(super) struct DownloadTarget {
    pub(super) folder: PathBuf,
    /// File name for a single document. `None` stands for the document's own name.
    pub(super) name: Option<String>,
}

/// Policy for existing files, from the arguments.
pub(super) fn existing_file_policy(args: &Get) -> ExistingFilePolicy {
    match (args.force, args.skip_existing) {
        (true, _) => ExistingFilePolicy::Replace,
        (_, true) => ExistingFilePolicy::Skip,
        _ => ExistingFilePolicy::Refuse,
    }
}

/// Determines the target and creates its folder.
///
/// `--output` is a folder if it is an existing folder, ends with a slash, or several
/// documents are requested. In all other cases it is the path of the file.
pub(super) fn download_target(args: &Get) -> Result<DownloadTarget, CliError> {
    let Some(output) = &args.output else {
        return Ok(DownloadTarget { folder: PathBuf::from("."), name: None });
    };
    let is_folder = output.is_dir()
        || args.file_ids.len() > 1
        || output.as_os_str().to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]);
    let name = output.file_name().filter(|_| !is_folder).map(|name| name.to_string_lossy().into());
    let folder = match (&name, output.parent()) {
        (Some(_), Some(parent)) if !parent.as_os_str().is_empty() => parent.to_owned(),
        (Some(_), _) => PathBuf::from("."),
        (None, _) => output.clone(),
    };
    if let Err(source) = fs::create_dir_all(&folder) {
        return Err(FetchError::File { path: folder, source }.into());
    }
    // If the download would be refused, no job is created, because its work would be useless.
    if name.is_some()
        && existing_file_policy(args) == ExistingFilePolicy::Refuse
        && output.symlink_metadata().is_ok()
    {
        return Err(FetchError::Exists { path: output.clone() }.into());
    }
    Ok(DownloadTarget { folder, name })
}
