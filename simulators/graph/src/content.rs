//! Contents of the files in the Microsoft Graph simulator, stored on disk.
//!
//! The body of each upload request is stored in a file of its own (a *blob*). The content of a
//! document is a list of blobs. This has three advantages:
//!
//! - Two requests for the same range cannot overwrite each other's bytes.
//! - Nothing is copied when a document is completed.
//! - The blob of a rejected request is removed with its draft.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::body::Body;
use bytes::Bytes;
use uuid::Uuid;

use crate::{error::GraphError, hash::Hashes};

/// Size in bytes of the pieces in which a file is read.
const READ_PIECE: usize = 256 * 1024;

/// A file on disk. It is deleted when the last reference to it is dropped.
#[derive(Debug)]
struct Blob(PathBuf);

impl Drop for Blob {
    fn drop(&mut self) {
        // The file may be deleted already, and a destructor cannot report an error.
        let _result = std::fs::remove_file(&self.0);
    }
}

/// Bytes of one request body. [`Content::append`] makes them part of a document. Without this call,
/// they are removed with the draft.
#[derive(Debug)]
pub(crate) struct Draft {
    /// File that stores the bytes. If it is `None`, the bytes are only counted and hashed.
    file: Option<(Arc<Blob>, File)>,
    /// Maximum number of bytes to store. Further bytes are dropped.
    limit: u64,
    /// Number of stored bytes.
    written: u64,
    /// Hashes of the document up to the last stored byte.
    hashes: Hashes,
}

impl Draft {
    /// Creates a draft that continues a document. `hashes` are the hashes of the document so far.
    ///
    /// The bytes are stored in a new file in `dir`. Without `dir`, the bytes are only counted and
    /// hashed with quickXorHash.
    pub(crate) fn create(dir: Option<&Path>, hashes: Hashes, limit: u64) -> io::Result<Self> {
        let Some(dir) = dir else {
            return Ok(Self { file: None, limit, written: 0, hashes: hashes.without_sha256() });
        };
        let path = dir.join(Uuid::new_v4().simple().to_string());
        let file = File::create_new(&path)?;
        Ok(Self { file: Some((Arc::new(Blob(path)), file)), limit, written: 0, hashes })
    }

    /// Stores the next bytes.
    ///
    /// The write blocks the thread. It is short: at most a few hundred KiB go into the page cache,
    /// which takes less time than a switch to another thread.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let remaining = usize::try_from(self.limit - self.written).unwrap_or(usize::MAX);
        let stored = &bytes[..bytes.len().min(remaining)];
        if let Some((_, file)) = &mut self.file {
            file.write_all(stored)?;
        }
        self.hashes.update(stored);
        self.written += stored.len() as u64;
        Ok(())
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }
}

/// Bytes of a document, complete or still growing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    /// Files that contain the bytes, in the order of the document.
    pieces: Vec<Arc<Blob>>,
    pub(crate) size: u64,
    pub(crate) hashes: Hashes,
}

impl Content {
    /// Appends a draft that was created from this content's hashes.
    pub(crate) fn append(&mut self, draft: Draft) {
        self.size += draft.written;
        self.hashes = draft.hashes;
        self.pieces.extend(draft.file.map(|(blob, _)| blob));
    }

    /// Discards the bytes and hashes but keeps the size.
    pub(crate) fn discard(&mut self) {
        self.pieces.clear();
        self.hashes = Hashes::default();
    }

    /// Appends bytes that the service writes itself.
    pub(crate) fn extend(&mut self, dir: Option<&Path>, bytes: &[u8]) -> Result<(), GraphError> {
        let mut draft = Draft::create(dir, self.hashes.clone(), u64::MAX)?;
        draft.push(bytes)?;
        self.append(draft);
        Ok(())
    }

    /// Reads all bytes into memory. Returns no bytes when the simulator does not store them.
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        let pieces: io::Result<Vec<_>> =
            self.pieces.iter().map(|blob| std::fs::read(&blob.0)).collect();
        Ok(pieces?.concat())
    }

    /// Reads the bytes from `start` up to `end` (exclusive) into memory.
    pub(crate) fn read_range(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut blob_start = 0;
        for blob in &self.pieces {
            let mut file = File::open(&blob.0)?;
            let blob_end = blob_start + file.metadata()?.len();
            let (read_start, read_end) = (start.max(blob_start), end.min(blob_end));
            if read_start < read_end {
                file.seek(SeekFrom::Start(read_start - blob_start))?;
                file.take(read_end - read_start).read_to_end(&mut bytes)?;
            }
            blob_start = blob_end;
        }
        Ok(bytes)
    }

    /// Returns the bytes as a stream.
    pub(crate) fn stream(&self) -> Body {
        let mut pending = self.pieces.clone();
        pending.reverse();
        let state = Reader { pending, open: None };
        Body::from_stream(futures::stream::try_unfold(state, async |mut reader| {
            let piece = reader.next_piece()?;
            Ok::<_, io::Error>(piece.map(|bytes| (bytes, reader)))
        }))
    }
}

/// State of a content stream.
struct Reader {
    /// Files still to be read, in reverse order.
    pending: Vec<Arc<Blob>>,
    /// File being read. The [`Blob`] prevents its deletion.
    open: Option<(Arc<Blob>, File)>,
}

impl Reader {
    /// Returns the next piece, or `None` at the end of the content.
    fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        let mut buffer = vec![0; READ_PIECE];
        loop {
            if let Some((_blob, file)) = &mut self.open {
                let read = file.read(&mut buffer)?;
                if read > 0 {
                    buffer.truncate(read);
                    return Ok(Some(buffer.into()));
                }
            }
            let Some(blob) = self.pending.pop() else {
                return Ok(None);
            };
            let file = File::open(&blob.0)?;
            self.open = Some((blob, file));
        }
    }
}
