//! A document that has come in part, beside a note of which document that is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::error::FetchError;

/// What is done about a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It stays, and that is an error.
    #[default]
    Refuse,
    /// It is replaced, at once and whole.
    Replace,
    /// It stays, and counts as fetched.
    Skip,
}

/// The file that bytes are written to; nobody else writes it meanwhile.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// The strong validator of the document that the bytes are of.
    tag: Option<String>,
}

impl Part {
    /// Opens what an earlier run has left, or begins.
    pub(super) fn open(path: PathBuf) -> Result<Self, FetchError> {
        loop {
            let mut options = OpenOptions::new();
            let opened = options.create(true).truncate(false).read(true).write(true).open(&path);
            let file = opened.map_err(failed(&path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(FetchError::Busy { path }),
                Err(TryLockError::Error(source)) => return Err(FetchError::File { path, source }),
            }
            // Between the two, another run may have finished it and moved it to its place.
            if path.exists() {
                let tag = fs::read_to_string(note(&path)).ok();
                let tag = tag.filter(|tag| !tag.is_empty());
                // Bytes of which nobody knows what they are of are worth nothing.
                let bytes =
                    if tag.is_some() { file.metadata().map_err(failed(&path))?.len() } else { 0 };
                return Ok(Self { path, file, bytes, tag });
            }
        }
    }

    /// How many bytes are there.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where to go on, and with which document; `None` is from the beginning.
    ///
    /// When all of `size` bytes are there, it is the last one: what is asked for must
    /// not be empty, and the answer tells the name.
    pub(super) fn resume(&self, size: Option<u64>) -> Option<(u64, &str)> {
        let tag = self.tag.as_deref()?;
        let from = match size {
            Some(size) if self.bytes > size => return None,
            Some(size) => self.bytes.min(size.saturating_sub(1)),
            None => self.bytes,
        };
        (from > 0).then_some((from, tag))
    }

    /// Throws away what is there; from now on it is the document with this tag.
    pub(super) fn restart(&mut self, tag: Option<&str>) -> Result<(), FetchError> {
        // The bytes go first: a crash must not leave them under another document's tag.
        self.seek(0)?;
        let note = note(&self.path);
        match tag {
            Some(tag) => fs::write(&note, tag).map_err(failed(&note))?,
            None => remove(&note)?,
        }
        self.tag = tag.map(str::to_owned);
        Ok(())
    }

    /// Keeps the first bytes only, and goes on behind them.
    pub(super) fn seek(&mut self, to: u64) -> Result<(), FetchError> {
        self.file.set_len(to).map_err(failed(&self.path))?;
        self.file.seek(SeekFrom::Start(to)).map_err(failed(&self.path))?;
        self.bytes = to;
        Ok(())
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(failed(&self.path))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Puts the whole document in its place, at once.
    pub(super) fn finish(self, target: &Path, existing: Existing) -> Result<(), FetchError> {
        self.file.sync_all().map_err(failed(&self.path))?;
        if existing == Existing::Replace {
            fs::rename(&self.path, target).map_err(failed(target))?;
        } else {
            place(&self.path, target)?;
        }
        remove(&note(&self.path))
    }

    /// Removes what has come.
    pub(super) fn discard(self) -> Result<(), FetchError> {
        remove(&note(&self.path))?;
        remove(&self.path)
    }
}

/// Moves a file to where none is; of two at once, one does it.
fn place(from: &Path, target: &Path) -> Result<(), FetchError> {
    match fs::hard_link(from, target) {
        Ok(()) => remove(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(FetchError::Exists { path: target.to_owned() })
        }
        // A file system without hard links.
        Err(_) if target.exists() => Err(FetchError::Exists { path: target.to_owned() }),
        Err(_) => fs::rename(from, target).map_err(failed(target)),
    }
}

fn note(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tag");
    name.into()
}

fn remove(path: &Path) -> Result<(), FetchError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FetchError + use<> {
    let path = path.to_owned();
    move |source| FetchError::File { path, source }
}
