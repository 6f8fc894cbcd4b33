//! Content parts of a ZIP container, read from its central directory alone.
//!
//! With them a file that OneDrive rewrote is compared with its source. The input comes from
//! outside: every length is checked, and a container beyond the limits is
//! [`ZipKind::Unreadable`], never an error.

use std::collections::BTreeMap;
use std::ops::Range;

/// Number of bytes at the end of a container that are searched for the end record, which
/// locates the directory. It allows for the longest comment.
pub const ZIP_TAIL_BYTES: u64 = END_BYTES as u64 + 0xFFFF;
/// Maximum length of a directory that is read. It is enough for more than two thousand
/// parts.
pub const MAX_DIRECTORY_BYTES: u64 = 192 * 1024;

const END_SIGNATURE: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const ENTRY_SIGNATURE: &[u8] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
/// Value of a field whose actual value is in a ZIP64 record.
const IN_ZIP64: u32 = 0xFFFF_FFFF;
/// Flag of an encrypted entry.
const ENCRYPTED: u16 = 1;

/// Position of the central directory in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipDirectory {
    /// Range of its bytes in the container.
    pub range: Range<u64>,
    /// Number of entries in the directory.
    entries: u16,
}

/// Result of locating or reading a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZipKind<T> {
    /// A container within the limits.
    Zip(T),
    /// A container that cannot be compared: too long, encrypted, ZIP64 or malformed.
    Unreadable,
    /// Not a container.
    NotZip,
}

/// Names, CRC-32 values and sizes of the content parts of a container, as its directory
/// states them. Parts with metadata are not included, because the service edits them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipContents {
    parts: BTreeMap<Vec<u8>, EntryFacts>,
}

/// CRC-32 and size of a content part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EntryFacts {
    crc32: u32,
    size: u32,
}

impl ZipDirectory {
    /// Locates the directory of a container of `size` bytes in its last bytes, `tail`, at
    /// most [`ZIP_TAIL_BYTES`] of them. Bytes after the container are allowed.
    #[must_use]
    pub fn locate(tail: &[u8], size: u64) -> ZipKind<Self> {
        let Some(tail_start) = size.checked_sub(tail.len() as u64) else {
            return ZipKind::NotZip;
        };
        let mut is_announced = false;
        for at in (0..=tail.len().saturating_sub(END_BYTES)).rev() {
            let record = tail.get(at..).unwrap_or_default();
            if !record.starts_with(END_SIGNATURE) || record.len() < END_BYTES {
                continue;
            }
            match Self::announced(record, tail_start + at as u64) {
                ZipKind::NotZip => {}
                ZipKind::Unreadable => is_announced = true,
                directory @ ZipKind::Zip(_) => return directory,
            }
        }
        if is_announced { ZipKind::Unreadable } else { ZipKind::NotZip }
    }

    /// Returns the directory that an end record at position `at` locates.
    fn announced(record: &[u8], at: u64) -> ZipKind<Self> {
        let (Some(disk), Some(first_disk), Some(here), Some(entries)) =
            (u16_at(record, 4), u16_at(record, 6), u16_at(record, 8), u16_at(record, 10))
        else {
            return ZipKind::NotZip;
        };
        let (Some(length), Some(offset)) = (u32_at(record, 12), u32_at(record, 16)) else {
            return ZipKind::NotZip;
        };
        if here == u16::MAX || entries == u16::MAX || length == IN_ZIP64 || offset == IN_ZIP64 {
            return ZipKind::Unreadable;
        }
        let (start, length) = (u64::from(offset), u64::from(length));
        let is_consistent = disk == 0
            && first_disk == 0
            && here == entries
            && start + length <= at
            && length >= u64::from(entries) * ENTRY_BYTES as u64;
        match is_consistent {
            false => ZipKind::NotZip,
            true if length > MAX_DIRECTORY_BYTES => ZipKind::Unreadable,
            true => ZipKind::Zip(Self { range: start..start + length, entries }),
        }
    }
}

impl ZipContents {
    /// Reads the bytes of a directory.
    #[must_use]
    pub fn read(bytes: &[u8], directory: &ZipDirectory) -> ZipKind<Self> {
        Self::parse(bytes, directory.entries).map_or(ZipKind::Unreadable, ZipKind::Zip)
    }

    fn parse(bytes: &[u8], entries: u16) -> Option<Self> {
        let mut remaining = bytes;
        let mut parts = BTreeMap::new();
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..entries {
            let DirectoryEntry { name, facts, length } = first_entry(remaining)?;
            remaining = remaining.get(length..)?;
            // Of two parts with the same name, it is not defined which one is used.
            if !names.insert(name) {
                return None;
            }
            if !is_metadata(name) && !name.ends_with(b"/") {
                parts.insert(name.to_vec(), facts);
            }
        }
        Some(Self { parts })
    }

    /// Returns whether both containers have the same content: the same content parts, with
    /// the same CRC-32 and size. Containers without any content prove nothing and do not
    /// count as the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.parts.values().any(|part| part.size > 0) && self.parts == other.parts
    }
}

/// Entry of a directory.
struct DirectoryEntry<'a> {
    name: &'a [u8],
    facts: EntryFacts,
    /// Number of bytes of the entry in the directory.
    length: usize,
}

fn first_entry(bytes: &[u8]) -> Option<DirectoryEntry<'_>> {
    if !bytes.starts_with(ENTRY_SIGNATURE) || u16_at(bytes, 8)? & ENCRYPTED != 0 {
        return None;
    }
    let facts = EntryFacts { crc32: u32_at(bytes, 16)?, size: u32_at(bytes, 24)? };
    let lengths = [u16_at(bytes, 28)?, u16_at(bytes, 30)?, u16_at(bytes, 32)?];
    let [name, extra, comment] = lengths.map(usize::from);
    if facts.size == IN_ZIP64 || name == 0 {
        return None;
    }
    let name = bytes.get(ENTRY_BYTES..ENTRY_BYTES + name)?;
    let length = ENTRY_BYTES + name.len() + extra + comment;
    Some(DirectoryEntry { name, facts, length })
}

/// Returns whether the service may edit the part when it accepts a file: properties, the
/// content types and relationships of OOXML packages, and their counterparts in
/// OpenDocument files. Names of package parts ignore case.
fn is_metadata(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let folders: [&[u8]; 3] = [b"docprops/", b"customxml/", b"docmetadata/"];
    let files: [&[u8]; 3] = [b"[content_types].xml", b"meta.xml", b"meta-inf/manifest.xml"];
    folders.iter().any(|folder| name.starts_with(folder))
        || files.contains(&name.as_slice())
        || name.ends_with(b".rels")
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}
