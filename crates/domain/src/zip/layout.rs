//! Layout of the archive: the origin of each of its bytes, computed from the list of documents
//! alone.
//!
//! The *accepted list* has the documents in the order of the request. The archive has another
//! order, in which documents of the same size class are together. The *manifest* is a generated
//! list of the documents.

use std::ops::Range;

use crc32fast::Hasher;
use jiff::Timestamp;

use super::dos_time::DosTime;
use super::entry::Entry;
use super::error::ArchiveTooLarge;
use super::names::MANIFEST_NAME;
use super::positions::{Piece, PieceKind, Positions};
use super::record::EntryFacts;
use super::segment::Segment;
use crate::document::Crc32;

/// Facts about the manifest, which is the last entry of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manifest {
    /// Size in bytes.
    pub size: u64,
    /// CRC-32 of its bytes.
    pub crc32: Crc32,
    /// Time of the last modification.
    pub modified: Timestamp,
}

/// Origin of every byte of the archive.
///
/// The order is: large documents, medium documents, small documents, the manifest, the central
/// directory. Within a class, the documents have the order of the accepted list. Equal lists have
/// equal archives. For each document, the layout needs about 32 bytes of memory in addition to the
/// list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Documents, in accepted order.
    entries: Vec<Entry>,
    manifest: Manifest,
    /// Indices of the documents, in the order of the archive.
    order: Vec<usize>,
    positions: Positions,
}

impl Layout {
    /// Computes the layout of an archive. `entries` is the accepted list.
    ///
    /// The names must be distinct. [`entry_names`](super::entry_names) returns such names.
    ///
    /// # Errors
    /// [`ArchiveTooLarge::Bytes`] if the size of the archive exceeds 64 bits.
    pub fn new(entries: Vec<Entry>, manifest: Manifest) -> Result<Self, ArchiveTooLarge> {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by_key(|entry| entries.get(*entry).map(Entry::class));
        let documents = order.iter().filter_map(|entry| entries.get(*entry)).map(Entry::facts);
        let positions = Positions::of(documents.chain([manifest.facts()]))?;
        Ok(Self { entries, manifest, order, positions })
    }

    /// Returns the documents, in accepted order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the indices of the documents in the accepted list, in the order of the archive.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Returns the size of the archive, in bytes.
    #[must_use]
    pub const fn total_size(&self) -> u64 {
        self.positions.total_size()
    }

    /// Returns the range of the archive that contains the local header and the content of a
    /// document. `entry` is the index of the document in the accepted list. Returns `None` if there
    /// is no such index.
    #[must_use]
    pub fn entry_range(&self, entry: usize) -> Option<Range<u64>> {
        let place = |entry: usize| (self.entries.get(entry).map(Entry::class), entry);
        let slot = self.order.binary_search_by_key(&place(entry), |other| place(*other)).ok()?;
        Some(self.positions.header(slot)..self.positions.header(slot + 1))
    }

    /// Returns the segments of the archive.
    pub fn segments(&self) -> impl Iterator<Item = Segment> {
        self.segments_in(0..self.total_size())
    }

    /// Returns the segments of a range of the archive, in order. Ignores the part of the range
    /// after the end of the archive.
    ///
    /// The iterator generates a segment only when the caller asks for it. So the directory of the
    /// archive is never in memory as a whole.
    pub fn segments_in(&self, range: Range<u64>) -> impl Iterator<Item = Segment> {
        let Range { start, end } = range;
        self.positions
            .pieces_from(start)
            .take_while(move |piece| piece.range.start < end)
            .filter_map(move |piece| self.segment(&piece, start..end))
    }

    /// Returns the CRC-32 of the archive, without reading any document.
    #[must_use]
    pub fn crc32(&self) -> Crc32 {
        let mut hasher = Hasher::new();
        for facts in (0..=self.order.len()).map(|slot| self.facts(slot)) {
            hasher.update(&facts.local_header());
            append_known(&mut hasher, facts.crc32, facts.size);
        }
        for segment in self.segments_in(self.positions.directory().offset..self.total_size()) {
            if let Segment::Generated(bytes) = segment {
                hasher.update(&bytes);
            }
        }
        Crc32::new(hasher.finalize())
    }

    /// Returns the CRC-32 of a range of the archive without reading any document. Returns `None` if
    /// it cannot be computed from the recorded values.
    ///
    /// It can be computed if the range cuts neither a document nor the manifest. There is one
    /// exception: the range may begin or end after the first
    /// [`PRELUDE_BYTES`](super::PRELUDE_BYTES) bytes of a large document if their CRC-32 was
    /// recorded.
    #[must_use]
    pub fn crc32_of(&self, range: Range<u64>) -> Option<Crc32> {
        let mut hasher = Hasher::new();
        for segment in self.segments_in(range) {
            let size = segment.size();
            match segment {
                Segment::Generated(bytes) => hasher.update(&bytes),
                Segment::Document { entry, range } => {
                    append_known(&mut hasher, self.entries.get(entry)?.crc32_of(&range)?, size);
                }
                Segment::Manifest(_) if size == self.manifest.size => {
                    append_known(&mut hasher, self.manifest.crc32, size);
                }
                Segment::Manifest(_) => return None,
            }
        }
        Some(Crc32::new(hasher.finalize()))
    }

    /// Returns the bytes of a piece that are in `wanted`, or `None` if there are none.
    fn segment(&self, piece: &Piece, wanted: Range<u64>) -> Option<Segment> {
        let start = wanted.start.max(piece.range.start);
        let end = wanted.end.min(piece.range.end);
        if start >= end {
            return None;
        }
        let range = start - piece.range.start..end - piece.range.start;
        let record = match piece.kind {
            PieceKind::Content(slot) => {
                return Some(match self.order.get(slot) {
                    Some(entry) => Segment::Document { entry: *entry, range },
                    None => Segment::Manifest(range),
                });
            }
            PieceKind::LocalHeader(slot) => self.facts(slot).local_header(),
            PieceKind::DirectoryEntry(slot) => {
                self.facts(slot).directory_entry(self.positions.header(slot))
            }
            PieceKind::EndRecords => self.positions.directory().end_records(),
        };
        let index = |position| usize::try_from(position).ok();
        let bytes = record.get(index(range.start)?..index(range.end)?)?;
        Some(Segment::Generated(bytes.to_vec()))
    }

    /// Returns the facts about the entry in a slot. The slot after the documents is the manifest.
    fn facts(&self, slot: usize) -> EntryFacts<'_> {
        let entry = self.order.get(slot).and_then(|entry| self.entries.get(*entry));
        entry.map_or_else(|| self.manifest.facts(), Entry::facts)
    }
}

impl Manifest {
    fn facts(&self) -> EntryFacts<'static> {
        EntryFacts {
            name: MANIFEST_NAME,
            size: self.size,
            crc32: self.crc32,
            modified: DosTime::from_timestamp(self.modified),
        }
    }
}

/// Appends `len` bytes whose CRC-32 is known.
fn append_known(hasher: &mut Hasher, crc32: Crc32, len: u64) {
    hasher.combine(&Hasher::new_with_initial_len(crc32.get(), len));
}
