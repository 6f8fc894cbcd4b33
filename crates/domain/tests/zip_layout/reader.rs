//! The reader of archives that are too large for memory. It parses the records at the end, the
//! central directory and the local headers, and resolves ZIP64 values as readers do.

use docferry_domain::zip::{Layout, Segment};

const MAX_32: u64 = 0xFFFF_FFFF;

/// An archive, as a reader sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    pub(crate) entries: Vec<Member>,
    pub(crate) directory: u64,
    pub(crate) has_zip64_end: bool,
}

/// An entry, as its directory entry and its local header describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// Position of the local header.
    pub(crate) offset: u64,
    /// Length of the local header with its name and extra field.
    pub(crate) header_len: u64,
    /// Number of ZIP64 values in the local header.
    pub(crate) local_zip64: u64,
    /// Number of ZIP64 values in the directory entry.
    pub(crate) directory_zip64: u64,
}

/// Bytes of a record, and the position of the next field.
struct Fields(Vec<u8>, usize);

impl Fields {
    fn number(&mut self, len: usize) -> u64 {
        let bytes = self.take(len);
        bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let bytes = self.0[self.1..self.1 + len].to_vec();
        self.1 += len;
        bytes
    }

    fn expect(&mut self, len: usize, expected: u64) {
        assert_eq!(self.number(len), expected, "field of {len} bytes before {}", self.1);
    }

    /// Reads an extra field, and returns its ZIP64 values.
    fn zip64(&mut self, len: u64) -> Vec<u64> {
        if len == 0 {
            return Vec::new();
        }
        self.expect(2, 1);
        self.expect(2, len - 4);
        (0..(len - 4) / 8).map(|_| self.number(8)).collect()
    }
}

/// Returns the bytes of a range, in which documents are zeros.
fn read(layout: &Layout, start: u64, len: u64) -> Fields {
    let mut bytes = Vec::new();
    for segment in layout.segments_in(start..start + len) {
        match segment {
            Segment::Generated(record) => bytes.extend(record),
            other => bytes.resize(bytes.len() + usize::try_from(other.size()).unwrap(), 0),
        }
    }
    Fields(bytes, 0)
}

/// Reads the records of an archive, and checks that its entries follow each other without gaps.
pub(crate) fn open(layout: &Layout) -> Archive {
    let total = layout.total_size();
    let mut end = read(layout, total - 22, 22);
    assert_eq!(end.take(4), b"PK\x05\x06");
    end.expect(4, 0);
    let (count_on_disk, mut count) = (end.number(2), end.number(2));
    let (mut directory_len, mut directory) = (end.number(4), end.number(4));
    end.expect(2, 0);
    assert_eq!(count_on_disk, count);

    let mut directory_end = total - 22;
    let mut locator = read(layout, total - 42, 20);
    let has_zip64_end = locator.take(4) == b"PK\x06\x07";
    if has_zip64_end {
        locator.expect(4, 0);
        directory_end = locator.number(8);
        locator.expect(4, 1);
        assert_eq!(directory_end, total - 22 - 20 - 56);
        let mut record = read(layout, directory_end, 56);
        assert_eq!(record.take(4), b"PK\x06\x06");
        record.expect(8, 44);
        record.take(2);
        record.expect(2, 45);
        record.expect(8, 0);
        let end_fields = [(count, 0xFFFF), (directory_len, MAX_32), (directory, MAX_32)];
        record.expect(8, count_of(&record));
        count = record.number(8);
        directory_len = record.number(8);
        directory = record.number(8);
        for ((field, max), value) in end_fields.into_iter().zip([count, directory_len, directory]) {
            assert_eq!(field, value.min(max));
        }
    }
    assert_eq!(directory + directory_len, directory_end);

    let mut fields = read(layout, directory, directory_len);
    let entries: Vec<Member> = (0..count).map(|_| member(layout, &mut fields)).collect();
    assert_eq!(fields.1, fields.0.len(), "the directory has no other bytes");
    let mut position = 0;
    for entry in &entries {
        assert_eq!(entry.offset, position);
        position += entry.header_len + entry.size;
    }
    assert_eq!(position, directory);
    Archive { entries, directory, has_zip64_end }
}

/// Returns the number of entries in total, which follows the number of entries on this disk.
fn count_of(record: &Fields) -> u64 {
    Fields(record.0.clone(), record.1 + 8).number(8)
}

/// Reads a directory entry and its local header.
fn member(layout: &Layout, directory: &mut Fields) -> Member {
    assert_eq!(directory.take(4), b"PK\x01\x02");
    assert_eq!(directory.take(2), [45, 3]);
    let version = directory.number(2);
    let fixed = directory.take(12);
    assert_eq!(fixed[..4], [0, 8, 0, 0], "names in UTF-8, not compressed");
    let (stored_field, size_field) = (directory.number(4), directory.number(4));
    let (name_len, extra_len) = (directory.number(2), directory.number(2));
    directory.expect(8, 0);
    let [.., mode_low, mode_high] = directory.take(2)[..] else { panic!("no attributes") };
    assert_eq!([mode_low, mode_high], [0xA4, 0x81]);
    let offset_field = directory.number(4);
    let name = directory.take(usize::try_from(name_len).unwrap());
    let zip64 = directory.zip64(extra_len);
    assert_eq!(version, if zip64.is_empty() { 20 } else { 45 });

    // Where there are ZIP64 values, they replace the fields with the maximum, in this order.
    let mut values = zip64.iter().copied();
    let mut resolve = |field: u64| match field {
        MAX_32 if !zip64.is_empty() => values.next().unwrap(),
        _ => field,
    };
    let (size, stored, offset) =
        (resolve(size_field), resolve(stored_field), resolve(offset_field));
    assert_eq!(values.next(), None);
    assert_eq!(size, stored);

    let mut local = read(layout, offset, 30 + name_len + 20);
    assert_eq!(local.take(4), b"PK\x03\x04");
    let local_version = local.number(2);
    assert_eq!(local.take(12), fixed);
    let (local_stored, local_size) = (local.number(4), local.number(4));
    local.expect(2, name_len);
    let local_extra_len = local.number(2);
    assert_eq!(local.take(usize::try_from(name_len).unwrap()), name);
    let local_zip64 = local.zip64(local_extra_len);
    assert_eq!(local_version, if local_zip64.is_empty() { 20 } else { 45 });
    match local_zip64[..] {
        [] => assert_eq!([local_stored, local_size], [size; 2]),
        [zip64_size, zip64_stored] => {
            assert_eq!([local_stored, local_size], [MAX_32; 2]);
            assert_eq!([zip64_size, zip64_stored], [size; 2]);
        }
        _ => panic!("a local header has both sizes or none"),
    }
    Member {
        name: String::from_utf8(name).unwrap(),
        size,
        offset,
        header_len: 30 + name_len + local_extra_len,
        local_zip64: local_zip64.len() as u64,
        directory_zip64: zip64.len() as u64,
    }
}
