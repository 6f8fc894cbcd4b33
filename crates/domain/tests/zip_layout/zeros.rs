//! Documents of zeros, which may be larger than the memory.

use std::sync::LazyLock;

use docferry_domain::document::Crc32;
use docferry_domain::zip::{
    Entry, LARGE_BYTES, Layout, Manifest, PRELUDE_BYTES, PreludeState, entry_names,
};
use jiff::Timestamp;

/// CRC-32 of the first bytes of a large document.
static FIRST_CRC: LazyLock<Crc32> = LazyLock::new(|| crc_of_zeros(PRELUDE_BYTES));

/// Returns the CRC-32 of so many zeros, which are hashed one block after the other.
pub(crate) fn crc_of_zeros(len: u64) -> Crc32 {
    static BLOCK: [u8; 1 << 20] = [0; 1 << 20];
    let mut hasher = crc32fast::Hasher::new();
    let mut remaining = len;
    while remaining > 0 {
        let next = remaining.min(BLOCK.len() as u64);
        hasher.update(&BLOCK[..usize::try_from(next).unwrap()]);
        remaining -= next;
    }
    Crc32::new(hasher.finalize())
}

/// Returns document number `number`. Its prelude is stored.
pub(crate) fn entry(number: usize, size: u64, crc32: Crc32) -> Entry {
    let name = entry_names([format!("{number:05}.pdf").as_str()]).remove(0);
    Entry {
        name,
        size,
        crc32,
        first_crc32: (size >= LARGE_BYTES).then(|| *FIRST_CRC),
        modified: Timestamp::UNIX_EPOCH,
        prelude: PreludeState::Stored,
    }
}

pub(crate) fn manifest(size: u64) -> Manifest {
    Manifest { size, crc32: crc_of_zeros(size), modified: Timestamp::UNIX_EPOCH }
}

/// Returns the layout of documents of these sizes. Their CRC-32 values are not those of their
/// contents.
pub(crate) fn layout(sizes: &[u64], manifest_size: u64) -> Layout {
    let entries = sizes
        .iter()
        .enumerate()
        .map(|(number, size)| entry(number, *size, Crc32::new(1)))
        .collect();
    Layout::new(entries, manifest(manifest_size)).unwrap()
}
