//! Segments: consecutive ranges of the archive, each with the origin of its bytes.

use std::ops::Range;

/// Range of the archive whose bytes have one origin. It is never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// These bytes, which belong to one record of the ZIP format.
    Generated(Vec<u8>),
    /// Range of a document.
    Document {
        /// Index of the document in the accepted list.
        entry: usize,
        /// Range of the document, in bytes.
        range: Range<u64>,
    },
    /// Range of the manifest, in bytes.
    Manifest(Range<u64>),
}

impl Segment {
    /// Returns the number of bytes, at least 1.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match self {
            Self::Generated(bytes) => bytes.len() as u64,
            Self::Document { range, .. } | Self::Manifest(range) => range.end - range.start,
        }
    }
}
