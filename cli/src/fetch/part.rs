//! The partial file, to which a download is written until it is complete.
//!
//! A tag file beside it contains the document's entity tag (`ETag` header), so that a later run
//! resumes the download only if the document has not changed. Only a strong entity tag is stored,
//! because a weak one does not guarantee equal bytes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::error::FetchError;

/// Policy for a target file that already exists. The user selects it with an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExistingFilePolicy {
    /// Keep the file and fail.
    #[default]
    Refuse,
    /// Replace the file atomically.
    Replace,
    /// Keep the file and count it as downloaded.
    Skip,
}

/// Partial file to which a download is written. It is locked against other processes.
#[derive(Debug)]
pub(super) struct PartialFile {
    path: PathBuf,
    file: File,
    /// Number of bytes in the file.
    bytes: u64,
    /// Strong entity tag of the document to which the bytes belong, or `None` if it has no such
    /// tag.
    tag: Option<String>,
}

/// Point at which a download continues.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResumePoint<'a> {
    /// Position of the first missing byte, or of the last byte if no byte is missing.
    pub(super) offset: u64,
    /// Strong entity tag of the document to which the earlier bytes belong.
    pub(super) tag: &'a str,
}

impl PartialFile {
    /// Opens and locks the partial file of an earlier run, or creates one.
    pub(super) fn open(path: PathBuf) -> Result<Self, FetchError> {
        loop {
            let mut options = OpenOptions::new();
            let opened = options.create(true).truncate(false).read(true).write(true).open(&path);
            let file = opened.map_err(file_error(&path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(FetchError::Busy { path }),
                Err(TryLockError::Error(source)) => return Err(FetchError::File { path, source }),
            }
            // Between opening and locking, another run may have completed the file and moved it
            // to its target. The lock is then on the moved file, so the loop opens a new one.
            if path.exists() {
                let tag = fs::read_to_string(tag_path(&path)).ok();
                let tag = tag.filter(|tag| !tag.is_empty());
                let bytes = match &tag {
                    Some(_) => file.metadata().map_err(file_error(&path))?.len(),
                    // Without a tag the download cannot be resumed, so earlier bytes do not count.
                    None => 0,
                };
                return Ok(Self { path, file, bytes, tag });
            }
        }
    }

    /// Number of bytes in the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the point at which to resume a download of `size` bytes, or `None` if the download
    /// has to start from the beginning.
    ///
    /// If the file has all bytes, the point is before the last byte: the response is still needed
    /// for the file name, and the range of a request must not be empty.
    pub(super) fn resume_point(&self, size: Option<u64>) -> Option<ResumePoint<'_>> {
        let tag = self.tag.as_deref()?;
        let offset = match size {
            Some(size) if self.bytes > size => return None,
            Some(size) => self.bytes.min(size.saturating_sub(1)),
            None => self.bytes,
        };
        (offset > 0).then_some(ResumePoint { offset, tag })
    }

    /// Discards all bytes and stores the entity tag of the document that is written next.
    pub(super) fn restart(&mut self, tag: Option<&str>) -> Result<(), FetchError> {
        // The bytes are removed before the tag changes, so that a crash in between cannot
        // combine them with another document's tag.
        self.truncate(0)?;
        let tag_file = tag_path(&self.path);
        match tag {
            Some(tag) => fs::write(&tag_file, tag).map_err(file_error(&tag_file))?,
            None => remove_if_exists(&tag_file)?,
        }
        self.tag = tag.map(str::to_owned);
        Ok(())
    }

    /// Truncates the file to its first `length` bytes. The next bytes are appended after them.
    pub(super) fn truncate(&mut self, length: u64) -> Result<(), FetchError> {
        self.file.set_len(length).map_err(file_error(&self.path))?;
        self.file.seek(SeekFrom::Start(length)).map_err(file_error(&self.path))?;
        self.bytes = length;
        Ok(())
    }

    /// Appends bytes to the file.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(file_error(&self.path))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Moves the complete document to its target atomically.
    pub(super) fn finish(
        self,
        target: &Path,
        policy: ExistingFilePolicy,
    ) -> Result<(), FetchError> {
        self.file.sync_all().map_err(file_error(&self.path))?;
        if policy == ExistingFilePolicy::Replace {
            fs::rename(&self.path, target).map_err(file_error(target))?;
        } else {
            move_to_new(&self.path, target)?;
        }
        remove_if_exists(&tag_path(&self.path))
    }

    /// Deletes the partial file and its tag.
    pub(super) fn discard(self) -> Result<(), FetchError> {
        remove_if_exists(&tag_path(&self.path))?;
        remove_if_exists(&self.path)
    }
}

/// Moves a file to a path that must not exist. If two processes move a file to the same path, one
/// of them fails.
fn move_to_new(from: &Path, target: &Path) -> Result<(), FetchError> {
    match fs::hard_link(from, target) {
        Ok(()) => remove_if_exists(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(FetchError::Exists { path: target.to_owned() })
        }
        // The file system has no hard links, so the check and the rename are not atomic.
        Err(_) if target.exists() => Err(FetchError::Exists { path: target.to_owned() }),
        Err(_) => fs::rename(from, target).map_err(file_error(target)),
    }
}

/// Path of the tag file of a partial file.
fn tag_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tag");
    name.into()
}

/// Deletes a file if it exists.
fn remove_if_exists(path: &Path) -> Result<(), FetchError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path)(error)),
        _ => Ok(()),
    }
}

/// Returns a function that converts an I/O error to a [`FetchError`] with this path.
fn file_error(path: &Path) -> impl FnOnce(io::Error) -> FetchError + use<> {
    let path = path.to_owned();
    move |source| FetchError::File { path, source }
}
