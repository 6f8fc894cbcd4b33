//! Documents with random bytes, and the layout of their archive.

use std::ops::Range;
use std::sync::LazyLock;

use docferry_domain::document::Crc32;
use docferry_domain::zip::{
    Entry, EntryName, Layout, Manifest, PRELUDE_BYTES, PreludeState, Segment, entry_names,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use proptest::prelude::*;

pub(crate) const MIB: u64 = 1024 * 1024;
const MAX_SIZE: u64 = 12 * MIB;

/// Random bytes; the content of each document is a range of them.
static RANDOM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let words = (0..2 * MIB).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.collect()
});

/// A document, or the manifest.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) file_name: String,
    pub(crate) modified: DateTime,
    /// Range of [`RANDOM`].
    content: Range<usize>,
    has_first_crc: bool,
    pub(crate) prelude: PreludeState,
}

impl Sample {
    pub(crate) fn bytes(&self) -> &'static [u8] {
        &RANDOM[self.content.clone()]
    }

    fn timestamp(&self) -> Timestamp {
        Offset::UTC.to_timestamp(self.modified).unwrap()
    }

    fn entry(&self, name: EntryName) -> Entry {
        let bytes = self.bytes();
        let first = bytes.get(..index(PRELUDE_BYTES)).filter(|_| self.has_first_crc);
        Entry {
            name,
            size: bytes.len() as u64,
            crc32: Crc32::of(bytes),
            first_crc32: first.map(Crc32::of),
            modified: self.timestamp(),
            prelude: self.prelude,
        }
    }
}

/// Accepted documents with their manifest.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    pub(crate) documents: Vec<Sample>,
    pub(crate) manifest: Sample,
}

impl Samples {
    pub(crate) fn names(&self) -> Vec<EntryName> {
        entry_names(self.documents.iter().map(|document| document.file_name.as_str()))
    }

    pub(crate) fn layout(&self) -> Layout {
        let named = self.documents.iter().zip(self.names());
        let entries = named.map(|(document, name)| document.entry(name)).collect();
        let manifest = Manifest {
            size: self.manifest.bytes().len() as u64,
            crc32: Crc32::of(self.manifest.bytes()),
            modified: self.manifest.timestamp(),
        };
        Layout::new(entries, manifest).unwrap()
    }

    /// Reads the bytes of segments.
    pub(crate) fn read(&self, segments: impl Iterator<Item = Segment>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for segment in segments {
            let before = bytes.len() as u64;
            match &segment {
                Segment::Generated(record) => bytes.extend_from_slice(record),
                Segment::Document { entry, range } => {
                    bytes.extend_from_slice(&self.documents[*entry].bytes()[indices(range)]);
                }
                Segment::Manifest(range) => {
                    bytes.extend_from_slice(&self.manifest.bytes()[indices(range)]);
                }
            }
            assert!(segment.size() > 0, "no segment is empty");
            assert_eq!(bytes.len() as u64 - before, segment.size());
        }
        bytes
    }
}

pub(crate) fn index(position: u64) -> usize {
    usize::try_from(position).unwrap()
}

pub(crate) fn indices(range: &Range<u64>) -> Range<usize> {
    index(range.start)..index(range.end)
}

/// Generates sizes of all classes, with those at the limits of the classes.
fn any_size() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        1_u64..300,
        1_u64..2 * MIB,
        2 * MIB..MAX_SIZE,
        5 * MIB - 2..=5 * MIB + 1,
        10 * MIB - 2..=10 * MIB + 1,
    ]
}

fn any_sample(size: impl Strategy<Value = u64>) -> impl Strategy<Value = Sample> {
    let modified = (1980_i16..=2107, 1_i8..=12, 1_i8..=28, 0_i8..24, 0_i8..60, 0_i8..60);
    let prelude = prop_oneof![3 => Just(PreludeState::Stored), 1 => Just(PreludeState::Missing)];
    let name = prop_oneof!["[a-c]{1,2}\\.pdf", "\\PC{0,20}"];
    (name, modified, size, 0..4 * MIB, prop::bool::weighted(0.8), prelude).prop_map(
        |(
            file_name,
            (year, month, day, hour, minute, second),
            size,
            start,
            has_first_crc,
            prelude,
        )| {
            let modified = DateTime::constant(year, month, day, hour, minute, second, 0);
            let content = indices(&(start..start + size));
            Sample { file_name, modified, content, has_first_crc, prelude }
        },
    )
}

/// Generates up to `max` documents in any order.
pub(crate) fn any_samples(max: usize) -> impl Strategy<Value = Samples> {
    (proptest::collection::vec(any_sample(any_size()), 0..=max), any_sample(0_u64..2000))
        .prop_map(|(documents, manifest)| Samples { documents, manifest })
}
