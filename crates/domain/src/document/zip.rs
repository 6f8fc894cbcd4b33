//! Content parts of a ZIP container, such as an Office file. docferry reads them from the
//! container's central directory and does not decompress any data.
//!
//! A *part* is a file inside a container. OneDrive rewrites the metadata of some files after the
//! upload. The verification compares such a file with its source by the names, checksums and sizes
//! of the content parts.
//!
//! The input is not trusted, so every length is checked. A container beyond the limits is not an
//! error but [`ZipKind::Unreadable`].
//!
//! The *end record* at the end of a container contains the position of the *central directory*,
//! which has one *entry* for each part. The caller reads the last bytes of a file, calls
//! [`ZipDirectory::locate`], reads the directory, and calls [`ZipContents::read`].

use std::collections::BTreeMap;
use std::ops::Range;

/// Number of bytes at the end of a container that are searched for the end record. It is
/// enough for an end record with the longest comment (0xFFFF bytes).
pub const ZIP_TAIL_BYTES: u64 = END_RECORD_BYTES as u64 + 0xFFFF;
/// Maximum length of a directory that is read, in bytes. It is enough for more than two
/// thousand parts.
pub const MAX_DIRECTORY_BYTES: u64 = 192 * 1024;

/// First bytes of the end record.
const END_RECORD_SIGNATURE: &[u8] = b"PK\x05\x06";
/// Length of the end record without its comment.
const END_RECORD_BYTES: usize = 22;
/// First bytes of a directory entry.
const ENTRY_SIGNATURE: &[u8] = b"PK\x01\x02";
/// Length of a directory entry without its name, extra field and comment.
const ENTRY_BYTES: usize = 46;
/// Value of a field whose actual value is in a ZIP64 record.
const IN_ZIP64: u32 = 0xFFFF_FFFF;
/// Flag of an encrypted entry.
const ENCRYPTED_FLAG: u16 = 1;

/// Position of the central directory in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipDirectory {
    /// Range of bytes of the directory in the container.
    pub range: Range<u64>,
    /// Number of entries in the directory.
    entries: u16,
}

/// Result of locating or reading a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZipKind<T> {
    /// A container within the limits.
    Zip(T),
    /// A container that cannot be compared, because it is too long, encrypted, malformed or
    /// uses ZIP64.
    Unreadable,
    /// Not a container.
    NotZip,
}

/// Names, CRC-32 values and sizes of the content parts of a container, from its directory.
/// Parts that contain only metadata are not included, because OneDrive edits them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZipContents {
    parts: BTreeMap<Vec<u8>, PartSummary>,
}

/// CRC-32 and size of a content part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PartSummary {
    crc32: u32,
    size: u32,
}

impl ZipDirectory {
    /// Locates the directory of a container of `size` bytes. `tail` contains the last bytes of
    /// the file, at most [`ZIP_TAIL_BYTES`]. Bytes after the container are allowed.
    #[must_use]
    pub fn locate(tail: &[u8], size: u64) -> ZipKind<Self> {
        let Some(tail_start) = size.checked_sub(tail.len() as u64) else {
            return ZipKind::NotZip;
        };
        let mut has_unreadable_directory = false;
        for index in (0..=tail.len().saturating_sub(END_RECORD_BYTES)).rev() {
            let record = tail.get(index..).unwrap_or_default();
            if !record.starts_with(END_RECORD_SIGNATURE) || record.len() < END_RECORD_BYTES {
                continue;
            }
            match Self::from_end_record(record, tail_start + index as u64) {
                ZipKind::NotZip => {}
                ZipKind::Unreadable => has_unreadable_directory = true,
                directory @ ZipKind::Zip(_) => return directory,
            }
        }
        if has_unreadable_directory { ZipKind::Unreadable } else { ZipKind::NotZip }
    }

    /// Reads the position of the directory from the end record `record`, which is at `position` in
    /// the container.
    fn from_end_record(record: &[u8], position: u64) -> ZipKind<Self> {
        // The numbers are the offsets of the fields in an end record.
        let (Some(disk), Some(first_disk), Some(entries_on_disk), Some(entries)) =
            (u16_at(record, 4), u16_at(record, 6), u16_at(record, 8), u16_at(record, 10))
        else {
            return ZipKind::NotZip;
        };
        let (Some(length), Some(offset)) = (u32_at(record, 12), u32_at(record, 16)) else {
            return ZipKind::NotZip;
        };
        // In a field of 16 bits, the maximum value means that a ZIP64 record contains the actual
        // value.
        if entries_on_disk == u16::MAX
            || entries == u16::MAX
            || length == IN_ZIP64
            || offset == IN_ZIP64
        {
            return ZipKind::Unreadable;
        }
        let (start, length) = (u64::from(offset), u64::from(length));
        let is_consistent = disk == 0
            && first_disk == 0
            && entries_on_disk == entries
            && start + length <= position
            && length >= u64::from(entries) * ENTRY_BYTES as u64;
        if !is_consistent {
            return ZipKind::NotZip;
        }
        if length > MAX_DIRECTORY_BYTES {
            return ZipKind::Unreadable;
        }
        ZipKind::Zip(Self { range: start..start + length, entries })
    }
}

impl ZipContents {
    /// Reads the content parts from `bytes`, which are the bytes of `directory`.
    #[must_use]
    pub fn read(bytes: &[u8], directory: &ZipDirectory) -> ZipKind<Self> {
        Self::parse(bytes, directory.entries).map_or(ZipKind::Unreadable, ZipKind::Zip)
    }

    /// Reads a directory. Returns `None` if an entry cannot be read or a name occurs twice.
    fn parse(bytes: &[u8], entries: u16) -> Option<Self> {
        let mut remaining = bytes;
        let mut parts = BTreeMap::new();
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..entries {
            let DirectoryEntry { name, summary, length } = first_entry(remaining)?;
            remaining = remaining.get(length..)?;
            // The format does not define which of two parts with the same name counts.
            if !names.insert(name) {
                return None;
            }
            if !is_metadata(name) && !name.ends_with(b"/") {
                parts.insert(name.to_vec(), summary);
            }
        }
        Some(Self { parts })
    }

    /// Returns whether both containers have the same content parts, with equal names, CRC-32 and
    /// sizes. Returns `false` if there is no content, because empty containers prove nothing.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.parts.values().any(|part| part.size > 0) && self.parts == other.parts
    }
}

/// Entry of a directory.
struct DirectoryEntry<'a> {
    name: &'a [u8],
    summary: PartSummary,
    /// Number of bytes of the entry in the directory.
    length: usize,
}

/// Reads the first entry of `bytes`. Returns `None` if the entry is malformed, encrypted or
/// uses ZIP64.
fn first_entry(bytes: &[u8]) -> Option<DirectoryEntry<'_>> {
    // The numbers are the offsets of the fields in a directory entry.
    if !bytes.starts_with(ENTRY_SIGNATURE) || u16_at(bytes, 8)? & ENCRYPTED_FLAG != 0 {
        return None;
    }
    let summary = PartSummary { crc32: u32_at(bytes, 16)?, size: u32_at(bytes, 24)? };
    let lengths = [u16_at(bytes, 28)?, u16_at(bytes, 30)?, u16_at(bytes, 32)?];
    let [name_len, extra_len, comment_len] = lengths.map(usize::from);
    if summary.size == IN_ZIP64 || name_len == 0 {
        return None;
    }
    let name = bytes.get(ENTRY_BYTES..ENTRY_BYTES + name_len)?;
    let length = ENTRY_BYTES + name_len + extra_len + comment_len;
    Some(DirectoryEntry { name, summary, length })
}

/// Returns whether the part contains only metadata, which OneDrive may edit. Such parts are the
/// properties, content types and relationships of OOXML packages, and their counterparts in
/// OpenDocument files. The comparison of names ignores case.
fn is_metadata(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let folders: [&[u8]; 3] = [b"docprops/", b"customxml/", b"docmetadata/"];
    let files: [&[u8]; 3] = [b"[content_types].xml", b"meta.xml", b"meta-inf/manifest.xml"];
    folders.iter().any(|folder| name.starts_with(folder))
        || files.contains(&name.as_slice())
        || name.ends_with(b".rels")
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}
