//! File contents on disk.
//!
//! Every fragment is a file of its own and a document is a list of them. So two
//! clients that send the same range at once never write into each other's bytes,
//! nothing is copied when a document is complete, and a fragment that is not
//! committed leaves with its file.

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

const READ_PIECE: usize = 256 * 1024;

/// A file that is removed with its last reference.
#[derive(Debug)]
struct Blob(PathBuf);

impl Drop for Blob {
    fn drop(&mut self) {
        // Already gone is as good; nobody is left to tell otherwise.
        let _removed = std::fs::remove_file(&self.0);
    }
}

/// Bytes being received, not yet part of any document.
#[derive(Debug)]
pub(crate) struct Draft {
    /// None when bytes are not kept.
    kept: Option<(Arc<Blob>, File)>,
    /// Bytes beyond this are dropped.
    limit: u64,
    written: u64,
    hashes: Hashes,
}

impl Draft {
    /// A draft that continues a document with these hashes, in a file of `dir`;
    /// without one its bytes are hashed and let go.
    pub(crate) fn create(dir: Option<&Path>, hashes: Hashes, limit: u64) -> io::Result<Self> {
        let Some(dir) = dir else {
            return Ok(Self { kept: None, limit, written: 0, hashes: hashes.cheap() });
        };
        let path = dir.join(Uuid::new_v4().simple().to_string());
        let file = File::create_new(&path)?;
        Ok(Self { kept: Some((Arc::new(Blob(path)), file)), limit, written: 0, hashes })
    }

    /// Writes synchronously: a piece is at most a few hundred KiB into the page
    /// cache, which costs less than handing it to another thread.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = usize::try_from(self.limit - self.written).unwrap_or(usize::MAX);
        let kept = &bytes[..bytes.len().min(room)];
        if let Some((_, file)) = &mut self.kept {
            file.write_all(kept)?;
        }
        self.hashes.update(kept);
        self.written += kept.len() as u64;
        Ok(())
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }
}

/// The bytes of a document, complete or growing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pieces: Vec<Arc<Blob>>,
    pub(crate) size: u64,
    pub(crate) hashes: Hashes,
}

impl Content {
    /// Appends a draft that was made from this content's hashes.
    pub(crate) fn append(&mut self, draft: Draft) {
        self.size += draft.written;
        self.hashes = draft.hashes;
        self.pieces.extend(draft.kept.map(|(blob, _)| blob));
    }

    /// Lets the bytes go and keeps the count.
    pub(crate) fn discard(&mut self) {
        self.pieces.clear();
        self.hashes = Hashes::default();
    }

    /// Appends bytes of the service's own.
    pub(crate) fn extend(&mut self, dir: Option<&Path>, bytes: &[u8]) -> Result<(), GraphError> {
        let mut draft = Draft::create(dir, self.hashes.clone(), u64::MAX)?;
        draft.push(bytes)?;
        self.append(draft);
        Ok(())
    }

    /// All bytes, in memory; none of a document whose bytes are not kept.
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        let pieces: io::Result<Vec<_>> =
            self.pieces.iter().map(|blob| std::fs::read(&blob.0)).collect();
        Ok(pieces?.concat())
    }

    /// The bytes from `start` to `end`, in memory.
    pub(crate) fn part(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let mut part = Vec::new();
        let mut position = 0;
        for blob in &self.pieces {
            let mut file = File::open(&blob.0)?;
            let length = file.metadata()?.len();
            let (first, last) = (start.max(position), end.min(position + length));
            if first < last {
                file.seek(SeekFrom::Start(first - position))?;
                file.take(last - first).read_to_end(&mut part)?;
            }
            position += length;
        }
        Ok(part)
    }

    /// The bytes as a stream.
    pub(crate) fn stream(&self) -> Body {
        let mut waiting = self.pieces.clone();
        waiting.reverse();
        let state = Reader { waiting, open: None };
        Body::from_stream(futures::stream::try_unfold(state, async |mut reader| {
            let piece = reader.next()?;
            Ok::<_, io::Error>(piece.map(|bytes| (bytes, reader)))
        }))
    }
}

struct Reader {
    waiting: Vec<Arc<Blob>>,
    /// The reference keeps the file from being removed while it is read.
    open: Option<(Arc<Blob>, File)>,
}

impl Reader {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut buffer = vec![0; READ_PIECE];
        loop {
            if let Some((_blob, file)) = &mut self.open {
                let read = file.read(&mut buffer)?;
                if read > 0 {
                    buffer.truncate(read);
                    return Ok(Some(buffer.into()));
                }
            }
            let Some(blob) = self.waiting.pop() else {
                return Ok(None);
            };
            let file = File::open(&blob.0)?;
            self.open = Some((blob, file));
        }
    }
}
