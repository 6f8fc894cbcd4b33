//! Plan of the multipart upload that assembles the archive.
//!
//! S3 copies the large and medium documents from stored objects. The *prelude* of a document is a
//! stored object with its ZIP header and its first bytes. Small documents are *packed*: the
//! function reads several of them and uploads them as one part.

use std::ops::Range;

use super::entry::{Entry, PRELUDE_BYTES, PreludeState, SizeClass};
use super::error::ArchiveTooLarge;
use super::layout::Layout;
use crate::document::Crc32;

/// Minimum length of each part except the last, in bytes: 5 MiB.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
pub const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;
/// Maximum length of a part and of a copied range, in bytes: 5 GiB, from the same source.
pub const MAX_PART_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// Maximum number of parts, from the same source.
pub const MAX_PARTS: u64 = 10_000;

/// Largest closing threshold, in bytes: 16 MiB. A part of packed documents is closed when its
/// length reaches the threshold. With its last document, the part has less than 27 MiB and fits
/// into memory.
const MAX_THRESHOLD: u64 = 16 * 1024 * 1024;

/// Origin of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartSource {
    /// The function reads the segments of the part's range ([`Layout::segments_in`]) and uploads
    /// them.
    Upload,
    /// S3 copies the whole prelude object of a document.
    CopyPrelude {
        /// Index of the document in the accepted list.
        entry: usize,
    },
    /// S3 copies a range of a document. Such a document has more than 5 MiB.
    CopyRange {
        /// Index of the document in the accepted list.
        entry: usize,
        /// Range of the document, in bytes.
        range: Range<u64>,
    },
}

/// One part of the multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Part number, from 1 to [`MAX_PARTS`].
    pub number: u32,
    /// Range of the archive, in bytes.
    pub range: Range<u64>,
    /// CRC-32 of the part, if it is known in advance.
    ///
    /// It is unknown in two cases: for the parts of a large document without `first_crc32`, and for
    /// the ranges of a document that has more than 5 GiB after its prelude. Such parts can only be
    /// checked together. For the [`Layout::entry_range`] of the document, the [`Crc32::of_parts`]
    /// of all [`Plan::parts_in`] the range must equal the [`Layout::crc32_of`] the range.
    pub crc32: Option<Crc32>,
    /// Origin of the bytes.
    pub source: PartSource,
}

impl Part {
    /// Returns the length of the part, in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// All parts of the multipart upload, with numbers from 1 without gaps.
///
/// Each part except the last has [`MIN_PART_BYTES`] to [`MAX_PART_BYTES`]. The last part may be
/// shorter.
///
/// - A large or medium document has its own parts. S3 copies them if the prelude is stored.
/// - Small documents are packed: a part contains several whole documents.
/// - If there are too many medium documents for parts of their own, they are packed as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    parts: Vec<Part>,
    reads: u64,
}

/// Whether medium documents have their own parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MediumDocuments {
    OwnParts,
    Packed,
}

impl Plan {
    /// Plans the upload of an archive.
    ///
    /// Whether the archive fits does not depend on any CRC-32. So the caller can check this before
    /// the documents are published.
    ///
    /// # Errors
    /// [`ArchiveTooLarge`] if the archive does not fit into the limits of a multipart upload.
    pub fn new(layout: &Layout) -> Result<Self, ArchiveTooLarge> {
        Self::with_medium(layout, MediumDocuments::OwnParts)
            .or_else(|_| Self::with_medium(layout, MediumDocuments::Packed))
    }

    /// Returns the parts, in the order of their numbers.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Returns the parts that lie completely in a range of the archive.
    #[must_use]
    pub fn parts_in(&self, range: &Range<u64>) -> &[Part] {
        let first = self.parts.partition_point(|part| part.range.start < range.start);
        let after = self.parts.partition_point(|part| part.range.end <= range.end);
        self.parts.get(first..after).unwrap_or_default()
    }

    /// Returns the number of S3 calls of an upload without failures:
    ///
    /// - one to create the upload and one to complete it,
    /// - one for each part,
    /// - one read for each packed document that is not empty, and for each missing prelude.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        2 + self.parts.len() as u64 + self.reads
    }

    fn with_medium(layout: &Layout, medium: MediumDocuments) -> Result<Self, ArchiveTooLarge> {
        let threshold = closing_threshold(layout, medium)?;
        let mut parts = Parts { layout, planned: Vec::new(), reads: 0 };
        for (entry, document, range) in documents(layout) {
            if is_packed(document, medium) {
                parts.reads += u64::from(document.size > 0);
                if range.end - parts.position() >= threshold {
                    parts.push(range.end, PartSource::Upload)?;
                }
            } else {
                parts.push_document(entry, document, &range)?;
            }
        }
        parts.push(layout.total_size(), PartSource::Upload)?;
        Ok(Self { parts: parts.planned, reads: parts.reads })
    }
}

/// Returns the documents in the order of the archive: index in the accepted list, document, and
/// range of the archive.
fn documents(layout: &Layout) -> impl Iterator<Item = (usize, &Entry, Range<u64>)> {
    layout.order().iter().filter_map(|entry| {
        Some((*entry, layout.entries().get(*entry)?, layout.entry_range(*entry)?))
    })
}

fn is_packed(document: &Entry, medium: MediumDocuments) -> bool {
    match document.class() {
        SizeClass::Large => false,
        SizeClass::Medium => medium == MediumDocuments::Packed,
        SizeClass::Small => true,
    }
}

/// Returns the length in bytes at which a part of packed documents is closed. It is the smallest
/// length with which the remaining part numbers certainly suffice for the packed documents.
fn closing_threshold(layout: &Layout, medium: MediumDocuments) -> Result<u64, ArchiveTooLarge> {
    let (mut own_parts, mut packed_bytes) = (0_u64, 0_u64);
    for (_, document, range) in documents(layout) {
        if is_packed(document, medium) {
            packed_bytes += range.end - range.start;
        } else {
            own_parts += 1 + rest_ranges(document);
        }
    }
    // One part is for the directory. If no other part is free, either all packed documents fit into
    // that part, or `push` reports too many parts.
    let free = (MAX_PARTS - 1).checked_sub(own_parts).ok_or(ArchiveTooLarge::Parts)?;
    let threshold = packed_bytes.div_ceil(free.max(1)).max(MIN_PART_BYTES);
    if threshold > MAX_THRESHOLD { Err(ArchiveTooLarge::Parts) } else { Ok(threshold) }
}

/// Returns the number of ranges in which the rest of a large document is copied; 0 for others.
fn rest_ranges(document: &Entry) -> u64 {
    match document.class() {
        SizeClass::Large => (document.size - PRELUDE_BYTES).div_ceil(MAX_PART_BYTES),
        SizeClass::Medium | SizeClass::Small => 0,
    }
}

/// The parts planned so far.
struct Parts<'a> {
    layout: &'a Layout,
    planned: Vec<Part>,
    reads: u64,
}

impl Parts<'_> {
    /// Returns the position of the first byte that is in no part yet.
    fn position(&self) -> u64 {
        self.planned.last().map_or(0, |part| part.range.end)
    }

    /// Adds the part that ends at `end`.
    fn push(&mut self, end: u64, source: PartSource) -> Result<(), ArchiveTooLarge> {
        let number = u32::try_from(self.planned.len() + 1).unwrap_or(u32::MAX);
        if u64::from(number) > MAX_PARTS {
            return Err(ArchiveTooLarge::Parts);
        }
        let range = self.position()..end;
        if range.end - range.start > MAX_PART_BYTES {
            return Err(ArchiveTooLarge::Bytes);
        }
        let crc32 = self.layout.crc32_of(range.clone());
        self.planned.push(Part { number, range, crc32, source });
        Ok(())
    }

    /// Adds the parts of a large or medium document: the header with the first bytes, and the rest
    /// in ranges of nearly equal length.
    fn push_document(
        &mut self,
        entry: usize,
        document: &Entry,
        range: &Range<u64>,
    ) -> Result<(), ArchiveTooLarge> {
        let first = match document.prelude {
            PreludeState::Stored => PartSource::CopyPrelude { entry },
            PreludeState::Missing => PartSource::Upload,
        };
        self.reads += u64::from(document.prelude == PreludeState::Missing);
        let ranges = rest_ranges(document);
        let rest = if ranges == 0 { 0 } else { document.size - PRELUDE_BYTES };
        self.push(range.end - rest, first)?;

        let content = range.end - document.size;
        for index in 0..ranges {
            // If the length is not a multiple of the number of ranges, the first ranges are one
            // byte longer.
            let len = rest / ranges + u64::from(index < rest % ranges);
            let (start, end) = (self.position(), self.position() + len);
            let copied = start - content..end - content;
            self.push(end, PartSource::CopyRange { entry, range: copied })?;
        }
        Ok(())
    }
}
