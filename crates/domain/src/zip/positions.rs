//! Positions in the archive: the offset of each header, content and directory entry.
//!
//! An archive has this order: for each document its *local header* and its content, then the
//! *directory* with one entry for each document, then the *end records*.

use std::ops::Range;

use super::error::ArchiveTooLarge;
use super::record::{DirectoryFacts, EntryFacts};

/// Positions in the archive. A *slot* is the index of an entry in the order of the archive. The
/// first slot is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Positions {
    /// Positions of the local headers.
    headers: Vec<u64>,
    /// Positions of the contents.
    contents: Vec<u64>,
    /// Positions of the directory entries.
    directory: Vec<u64>,
    /// Position of the records after the directory.
    end_records: u64,
    total_size: u64,
}

/// Range of the archive that one record or one content occupies. It may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) range: Range<u64>,
    pub(super) kind: PieceKind,
}

/// Kind of a piece, and its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    LocalHeader(usize),
    Content(usize),
    DirectoryEntry(usize),
    EndRecords,
}

impl Positions {
    /// Computes the positions. `entries` must be in the order of the archive.
    ///
    /// # Errors
    /// [`ArchiveTooLarge::Bytes`] if the size of the archive exceeds 64 bits.
    pub(super) fn of<'a>(
        entries: impl Iterator<Item = EntryFacts<'a>> + Clone,
    ) -> Result<Self, ArchiveTooLarge> {
        let mut next = NextPosition(0);
        let (mut headers, mut contents, mut directory) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries.clone() {
            headers.push(next.advance(entry.local_header_len())?);
            contents.push(next.advance(entry.size)?);
        }
        for (entry, header) in entries.zip(&headers) {
            directory.push(next.advance(entry.directory_entry_len(*header))?);
        }
        let mut positions =
            Self { headers, contents, directory, end_records: next.0, total_size: next.0 };
        next.advance(positions.directory().end_records().len() as u64)?;
        positions.total_size = next.0;
        Ok(positions)
    }

    /// Returns the size of the archive, in bytes.
    pub(super) const fn total_size(&self) -> u64 {
        self.total_size
    }

    /// Returns the position of the local header of a slot. For the slot after the last, returns the
    /// position of the directory.
    pub(super) fn header(&self, slot: usize) -> u64 {
        let directory = || self.directory.first().copied().unwrap_or(self.end_records);
        self.headers.get(slot).copied().unwrap_or_else(directory)
    }

    /// Returns the position of the directory, and the number of its entries.
    pub(super) fn directory(&self) -> DirectoryFacts {
        let offset = self.header(self.headers.len());
        let len = self.end_records - offset;
        DirectoryFacts { entries: self.headers.len() as u64, offset, len }
    }

    /// Returns the piece that contains a position, and all pieces after it. Finds the first piece
    /// in logarithmic time.
    pub(super) fn pieces_from(&self, position: u64) -> impl Iterator<Item = Piece> {
        let slot_in =
            |starts: &[u64]| starts.partition_point(|start| *start <= position).saturating_sub(1);
        let slots = self.headers.len();
        let first = if position < self.header(slots) {
            2 * slot_in(&self.headers)
        } else if position < self.end_records {
            2 * slots + slot_in(&self.directory)
        } else {
            3 * slots
        };
        (first..=3 * slots).map(|index| self.piece(index))
    }

    /// Returns a piece by its index. The pieces are in the order of the archive: the header and the
    /// content of each slot, then the directory entries, then the end records.
    fn piece(&self, index: usize) -> Piece {
        let slots = self.headers.len();
        let (kind, start, end) = if index < 2 * slots {
            let slot = index / 2;
            let content = self.contents.get(slot).copied().unwrap_or(self.end_records);
            if index.is_multiple_of(2) {
                (PieceKind::LocalHeader(slot), self.header(slot), content)
            } else {
                (PieceKind::Content(slot), content, self.header(slot + 1))
            }
        } else if index < 3 * slots {
            let slot = index - 2 * slots;
            let entry = |slot| self.directory.get(slot).copied().unwrap_or(self.end_records);
            (PieceKind::DirectoryEntry(slot), entry(slot), entry(slot + 1))
        } else {
            (PieceKind::EndRecords, self.end_records, self.total_size)
        };
        Piece { range: start..end, kind }
    }
}

/// Position of the next byte.
struct NextPosition(u64);

impl NextPosition {
    /// Adds a number of bytes, and returns the position of the first of them.
    fn advance(&mut self, len: u64) -> Result<u64, ArchiveTooLarge> {
        let position = self.0;
        self.0 = position.checked_add(len).ok_or(ArchiveTooLarge::Bytes)?;
        Ok(position)
    }
}
