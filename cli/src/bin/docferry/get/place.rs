//! The place for documents.

use std::fs;
use std::path::PathBuf;

use docferry_cli::fetch::{Existing, FetchError};

use crate::args::Get;
use crate::exit::CliError;

/// Where documents go.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// Of one document.
    pub(super) name: Option<String>,
}

/// What is to be done about a file that is there.
pub(super) fn existing(args: &Get) -> Existing {
    match (args.force, args.skip_existing) {
        (true, _) => Existing::Replace,
        (_, true) => Existing::Skip,
        _ => Existing::Refuse,
    }
}

/// A folder that is there, or is written with a slash at its end, or is for many, is a
/// folder; anything else is the file's own name.
pub(super) fn place(args: &Get) -> Result<Place, CliError> {
    let Some(output) = &args.output else {
        return Ok(Place { folder: PathBuf::from("."), name: None });
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
    // Before anything is asked for: afterwards it would be for nothing.
    if name.is_some() && existing(args) == Existing::Refuse && output.symlink_metadata().is_ok() {
        return Err(FetchError::Exists { path: output.clone() }.into());
    }
    Ok(Place { folder, name })
}
