//! The records of the ZIP format (PKWARE, APPNOTE.TXT 6.3.10, section 4.3), as bytes.
//!
//! Entries are stored without compression and without data descriptors. ZIP64 fields are written
//! only for values that need them, because some readers fail on unnecessary ones.

use super::dos_time::DosTime;
use crate::document::Crc32;

/// Maximum value of a field of 32 bits. It also has a special meaning: the actual value is in a
/// ZIP64 field.
const MAX_32: u64 = 0xFFFF_FFFF;
/// Maximum number of entries in a field of 16 bits.
const MAX_16: u64 = 0xFFFF;

/// Version of the format that a reader needs for a stored entry.
const VERSION: u16 = 20;
/// Version of the format that a reader needs for ZIP64 fields.
const VERSION_ZIP64: u16 = 45;
/// Field "version made by": the system Unix, which defines the meaning of the external attributes,
/// and the version of the format.
const MADE_BY: u16 = 3 << 8 | VERSION_ZIP64;
/// Flag for a name in UTF-8.
const UTF8_FLAG: u16 = 1 << 11;
/// Method of an entry that is not compressed.
const STORED: u16 = 0;
/// Regular file that its owner may write and everyone may read (`-rw-r--r--`).
const EXTERNAL_ATTRIBUTES: u32 = 0o100_644 << 16;
/// Id of the extra field with ZIP64 values.
const ZIP64_EXTRA: u16 = 1;

/// Length of a local header without its name and extra field, in bytes.
const LOCAL_HEADER_LEN: u64 = 30;
/// Length of a directory entry without its name and extra field, in bytes.
const DIRECTORY_ENTRY_LEN: u64 = 46;
/// Length of the header of an extra field, in bytes.
const EXTRA_HEADER_LEN: u64 = 4;
/// Length of the ZIP64 record at the end, without its signature and its own length, in bytes.
const ZIP64_END_RECORD_LEN: u64 = 44;

/// Facts about an entry that its records contain.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryFacts<'a> {
    /// Name, at most 255 bytes.
    pub(super) name: &'a str,
    /// Size in bytes.
    pub(super) size: u64,
    /// CRC-32 of the content.
    pub(super) crc32: Crc32,
    /// Time of the last modification.
    pub(super) modified: DosTime,
}

/// Position of the central directory, and the number of its entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct DirectoryFacts {
    /// Number of entries.
    pub(super) entries: u64,
    /// Position in the archive.
    pub(super) offset: u64,
    /// Length in bytes.
    pub(super) len: u64,
}

impl EntryFacts<'_> {
    /// Returns the length of the local header, in bytes.
    pub(super) fn local_header_len(&self) -> u64 {
        let extra = if self.size > MAX_32 { EXTRA_HEADER_LEN + 16 } else { 0 };
        LOCAL_HEADER_LEN + self.name.len() as u64 + extra
    }

    /// Returns the record before the content. It does not depend on the position of the entry.
    pub(super) fn local_header(&self) -> Vec<u8> {
        // A local header has either both sizes in ZIP64 or none.
        let zip64: &[u64] = if self.size > MAX_32 { &[self.size, self.size] } else { &[] };
        let mut header = Record::with_signature(b"PK\x03\x04");
        self.write_common_fields(&mut header, zip64);
        header.bytes(self.name.as_bytes());
        header.zip64_extra(zip64);
        header.0
    }

    /// Returns the length in bytes of the directory entry for a local header at `offset`.
    pub(super) fn directory_entry_len(&self, offset: u64) -> u64 {
        let zip64_len = 8 * self.directory_zip64(offset).len() as u64;
        let extra = if zip64_len > 0 { EXTRA_HEADER_LEN + zip64_len } else { 0 };
        DIRECTORY_ENTRY_LEN + self.name.len() as u64 + extra
    }

    /// Returns the entry of the central directory for a local header at `offset`.
    pub(super) fn directory_entry(&self, offset: u64) -> Vec<u8> {
        let zip64 = self.directory_zip64(offset);
        let mut entry = Record::with_signature(b"PK\x01\x02");
        entry.u16(MADE_BY);
        self.write_common_fields(&mut entry, &zip64);
        // Length of the comment, number of the disk, internal attributes.
        [0, 0, 0].into_iter().for_each(|field| entry.u16(field));
        entry.u32(EXTERNAL_ATTRIBUTES);
        entry.u32_or_max(offset);
        entry.bytes(self.name.as_bytes());
        entry.zip64_extra(&zip64);
        entry.0
    }

    /// Returns the values for the ZIP64 field of the directory entry: those of size, compressed
    /// size and offset that need it.
    ///
    /// A value of exactly `MAX_32` is a special case:
    ///
    /// - If no other value needs a ZIP64 field, there must be none. Info-ZIP 6.0 misreads the entry
    ///   after one with an unnecessary field.
    /// - If another value needs a ZIP64 field, readers expect this value in it as well.
    ///
    /// Info-ZIP fails at a size of exactly `MAX_32` with an offset above `MAX_32` in either case.
    fn directory_zip64(&self, offset: u64) -> Vec<u64> {
        let values = [self.size, self.size, offset];
        if values.iter().any(|value| *value > MAX_32) {
            values.into_iter().filter(|value| *value >= MAX_32).collect()
        } else {
            Vec::new()
        }
    }

    /// Writes the fields that the local header and the directory entry have in the same order.
    fn write_common_fields(&self, record: &mut Record, zip64: &[u64]) {
        record.u16(if zip64.is_empty() { VERSION } else { VERSION_ZIP64 });
        let fields = [UTF8_FLAG, STORED, self.modified.time, self.modified.date];
        fields.into_iter().for_each(|field| record.u16(field));
        record.u32(self.crc32.get());
        // The compressed and the uncompressed size are equal.
        record.u32_or_max(self.size);
        record.u32_or_max(self.size);
        record.u16_or_max(self.name.len() as u64);
        let zip64_len = 8 * zip64.len() as u64;
        record.u16_or_max(if zip64_len > 0 { EXTRA_HEADER_LEN + zip64_len } else { 0 });
    }
}

impl DirectoryFacts {
    fn needs_zip64(&self) -> bool {
        self.entries > MAX_16 || self.offset > MAX_32 || self.len > MAX_32
    }

    /// Returns the records after the central directory, at most 98 bytes: the ZIP64 record and its
    /// locator if they are needed, and the end record.
    pub(super) fn end_records(&self) -> Vec<u8> {
        let mut end = Record(Vec::new());
        if self.needs_zip64() {
            end.bytes(b"PK\x06\x06");
            end.u64(ZIP64_END_RECORD_LEN);
            end.u16(MADE_BY);
            end.u16(VERSION_ZIP64);
            // Number of this disk, and of the disk on which the directory begins.
            end.u32(0);
            end.u32(0);
            // Entries on this disk, entries in total, length and position of the directory.
            let fields = [self.entries, self.entries, self.len, self.offset];
            fields.into_iter().for_each(|field| end.u64(field));

            // The locator: disk and position of the ZIP64 record, and the number of disks.
            end.bytes(b"PK\x06\x07");
            end.u32(0);
            end.u64(self.offset.saturating_add(self.len));
            end.u32(1);
        }
        end.bytes(b"PK\x05\x06");
        // Number of this disk, and of the disk on which the directory begins.
        end.u16(0);
        end.u16(0);
        end.u16_or_max(self.entries);
        end.u16_or_max(self.entries);
        end.u32_or_max(self.len);
        end.u32_or_max(self.offset);
        // Length of the comment.
        end.u16(0);
        end.0
    }
}

/// Bytes of a record. All numbers are little-endian.
struct Record(Vec<u8>);

impl Record {
    fn with_signature(signature: &[u8; 4]) -> Self {
        Self(signature.to_vec())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Writes a field of 16 bits. A value that is too large becomes the maximum.
    fn u16_or_max(&mut self, value: u64) {
        self.u16(u16::try_from(value).unwrap_or(u16::MAX));
    }

    /// Writes a field of 32 bits. A value that is too large becomes the maximum.
    fn u32_or_max(&mut self, value: u64) {
        self.u32(u32::try_from(value).unwrap_or(u32::MAX));
    }

    /// Writes the extra field with ZIP64 values, if there are any.
    fn zip64_extra(&mut self, values: &[u64]) {
        if !values.is_empty() {
            self.u16(ZIP64_EXTRA);
            self.u16_or_max(8 * values.len() as u64);
            values.iter().for_each(|value| self.u64(*value));
        }
    }
}
