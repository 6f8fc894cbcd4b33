//! The reference writer: writes a whole archive into memory, without ZIP64.

use jiff::civil::DateTime;

use crate::sample::{MIB, Samples};

/// Fields of a written entry that the directory repeats.
struct Written<'a> {
    name: &'a str,
    fields: Vec<u8>,
    offset: usize,
}

/// Writes the archive of documents with these names.
pub(crate) fn write(samples: &Samples, names: &[String]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut written = Vec::new();
    let mut entries = Vec::new();
    for sizes in [10 * MIB..u64::MAX, 5 * MIB..10 * MIB, 0..5 * MIB] {
        for (document, name) in samples.documents.iter().zip(names) {
            if sizes.contains(&(document.bytes().len() as u64)) {
                entries.push((name.as_str(), document));
            }
        }
    }
    entries.push(("manifest.json", &samples.manifest));

    for (name, entry) in entries {
        let offset = archive.len();
        let bytes = entry.bytes();
        let len = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        // Version 2.0, names in UTF-8, not compressed.
        let mut fields = vec![20, 0, 0, 8, 0, 0];
        fields.extend(dos(entry.modified));
        fields.extend(crc32fast::hash(bytes).to_le_bytes());
        fields.extend([len, len].concat());
        // Lengths of the name and of the extra field.
        fields.extend([u8::try_from(name.len()).unwrap(), 0, 0, 0]);
        archive.extend(b"PK\x03\x04");
        archive.extend(&fields);
        archive.extend(name.as_bytes());
        archive.extend(bytes);
        written.push(Written { name, fields, offset });
    }

    let directory = archive.len();
    for Written { name, fields, offset } in &written {
        archive.extend(b"PK\x01\x02");
        // Version 4.5 on Unix.
        archive.extend([45, 3]);
        archive.extend(fields);
        // No comment, disk 0, no internal attributes; regular file with mode 0644.
        archive.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xA4, 0x81]);
        archive.extend(u32::try_from(*offset).unwrap().to_le_bytes());
        archive.extend(name.as_bytes());
    }
    let directory_len = archive.len() - directory;
    archive.extend(b"PK\x05\x06\0\0\0\0");
    let count = u16::try_from(written.len()).unwrap().to_le_bytes();
    archive.extend([count, count].concat());
    for number in [directory_len, directory] {
        archive.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    archive.extend([0, 0]);
    archive
}

/// Returns time and date in the format of MS-DOS.
fn dos(time: DateTime) -> Vec<u8> {
    let number = |value: i8| u32::try_from(value).unwrap();
    let years = u32::try_from(time.year() - 1980).unwrap();
    let date = years * 512 + number(time.month()) * 32 + number(time.day());
    let clock = number(time.hour()) * 2048 + number(time.minute()) * 32 + number(time.second()) / 2;
    (date * 65_536 + clock).to_le_bytes().to_vec()
}
