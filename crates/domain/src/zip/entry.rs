//! One document of the archive, and its prelude.
//!
//! S3 assembles the archive by copying stored objects. The *prelude* of a document is an object
//! that is stored for this purpose: it contains the document's ZIP header and its first bytes.

use std::ops::Range;

use jiff::Timestamp;

use super::dos_time::DosTime;
use super::names::EntryName;
use super::record::EntryFacts;
use crate::document::Crc32;

/// Number of bytes of a large document that its prelude contains: 5 MiB, the minimum size of a part
/// of a multipart upload.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
pub const PRELUDE_BYTES: u64 = 5 * 1024 * 1024;
/// Minimum size of a medium document, in bytes: 5 MiB, so that it is a part by itself.
pub const MEDIUM_BYTES: u64 = PRELUDE_BYTES;
/// Minimum size of a large document, in bytes: 10 MiB, so that both the prelude and the rest have
/// the minimum size of a part.
pub const LARGE_BYTES: u64 = 2 * PRELUDE_BYTES;

/// Class of a document by its size. The order of the classes is their order in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SizeClass {
    /// At least [`LARGE_BYTES`].
    Large,
    /// At least [`MEDIUM_BYTES`], less than [`LARGE_BYTES`].
    Medium,
    /// Less than [`MEDIUM_BYTES`].
    Small,
}

/// Whether the prelude object of a document is stored for this job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreludeState {
    /// The prelude is stored, so S3 can copy it.
    Stored,
    /// The prelude is not stored, because the document was published earlier for another job. So
    /// the function reads the beginning of the document and uploads it.
    Missing,
}

/// One document of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name inside the archive.
    pub name: EntryName,
    /// Size in bytes.
    pub size: u64,
    /// CRC-32 of the document.
    pub crc32: Crc32,
    /// CRC-32 of the first [`PRELUDE_BYTES`] bytes of a large document, if it was recorded. Other
    /// documents do not use it.
    pub first_crc32: Option<Crc32>,
    /// Time of the last modification.
    pub modified: Timestamp,
    /// Whether the prelude object is stored. Small documents do not use it.
    pub prelude: PreludeState,
}

/// Content of a prelude object: the local header, and the first bytes of the document.
///
/// The content depends only on the name, size, CRC-32 and time of this document, not on other
/// documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prelude {
    /// First bytes of the object.
    pub local_header: Vec<u8>,
    /// Range of the document that follows the header.
    pub document: Range<u64>,
    /// CRC-32 of the object, if it is known in advance.
    pub crc32: Option<Crc32>,
}

impl Entry {
    /// Returns the class of the document.
    #[must_use]
    pub const fn class(&self) -> SizeClass {
        match self.size {
            LARGE_BYTES.. => SizeClass::Large,
            MEDIUM_BYTES.. => SizeClass::Medium,
            _ => SizeClass::Small,
        }
    }

    /// Returns the record before the document in the archive.
    #[must_use]
    pub fn local_header(&self) -> Vec<u8> {
        self.facts().local_header()
    }

    /// Returns the content of the prelude object: the local header, and then the first
    /// [`PRELUDE_BYTES`] bytes of a large document or all bytes of a medium document. Returns
    /// `None` for a small document, which has no prelude.
    #[must_use]
    pub fn prelude_content(&self) -> Option<Prelude> {
        let document = 0..match self.class() {
            SizeClass::Large => PRELUDE_BYTES,
            SizeClass::Medium => self.size,
            SizeClass::Small => return None,
        };
        let local_header = self.local_header();
        let header = (Crc32::of(&local_header), local_header.len() as u64);
        let crc32 = self
            .crc32_of(&document)
            .map(|content| Crc32::of_parts([header, (content, document.end)]));
        Some(Prelude { local_header, document, crc32 })
    }

    /// Returns the CRC-32 of a range of the document, if it can be computed from the recorded
    /// values. These ranges are the whole document, the first [`PRELUDE_BYTES`] bytes of a large
    /// document, and the bytes after them.
    pub(super) fn crc32_of(&self, range: &Range<u64>) -> Option<Crc32> {
        let first = self.first_crc32.filter(|_| self.class() == SizeClass::Large);
        match (range.start, range.end) {
            (0, end) if end == self.size => Some(self.crc32),
            (0, PRELUDE_BYTES) => first,
            (PRELUDE_BYTES, end) if end == self.size => {
                first.map(|first| Crc32::of_rest(self.crc32, first, range.end - range.start))
            }
            _ => None,
        }
    }

    /// Returns the facts that the records of the entry contain.
    pub(super) fn facts(&self) -> EntryFacts<'_> {
        EntryFacts {
            name: self.name.as_str(),
            size: self.size,
            crc32: self.crc32,
            modified: DosTime::from_timestamp(self.modified),
        }
    }
}
