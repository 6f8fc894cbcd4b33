//! Simulates that the service edits an uploaded file.
//!
//! The real OneDrive writes its own properties into Office files after their upload, so the stored
//! file differs from the uploaded file. Office files are ZIP containers. A container consists of
//! *parts*, which are files, and the *central directory*, which lists the parts. A *metadata part*
//! contains properties and not content.

use crate::{content::Content, error::GraphError, world::World};

/// Maximum size of a file that is edited as a ZIP container, in bytes.
const MAX_CONTAINER_SIZE: u64 = 64 * 1024 * 1024;
/// Signature of the record at the end of a ZIP container.
const END_SIGNATURE: &[u8] = b"PK\x05\x06";
/// Signature of an entry in the central directory of a ZIP container.
const ENTRY_SIGNATURE: &[u8] = b"PK\x01\x02";
/// Signature and version of the local header that stands before a part.
const LOCAL_HEADER_START: &[u8] = b"PK\x03\x04\x14\0";
/// Signature and versions of an entry in the central directory.
const ENTRY_START: &[u8] = b"PK\x01\x02\x14\0\x14\0";
/// Number of bytes before the name in an entry of the central directory.
const ENTRY_HEADER_SIZE: usize = 46;
/// Metadata part that lists the content types of the parts.
const TYPES_PART: &str = "[Content_Types].xml";
/// Metadata part that contains custom properties.
const PROPERTIES_PART: &str = "docProps/custom.xml";

/// Edits the metadata of a complete file. In a ZIP container, the metadata parts are replaced and
/// the content parts stay unchanged. Any other file gets a comment at its end.
pub(crate) fn rewrite(world: &World, content: &mut Content) -> Result<(), GraphError> {
    let edited = match content.size <= MAX_CONTAINER_SIZE {
        true => edit_container(&content.bytes()?),
        false => None,
    };
    let Some(edited) = edited else {
        return content.extend(world.storage_dir(), b"<!-- rewritten by the service -->");
    };
    *content = Content::default();
    content.extend(world.storage_dir(), &edited)
}

/// Returns the container with new metadata parts, or `None` if the file is not a ZIP container.
fn edit_container(file: &[u8]) -> Option<Vec<u8>> {
    let end = file.windows(END_SIGNATURE.len()).rposition(|bytes| bytes == END_SIGNATURE)?;
    // The record at the end contains the length of the central directory at byte 12, and the start
    // of the directory at byte 16.
    let number = |offset: usize| {
        file.get(offset..offset + 4)?.first_chunk().copied().map(u32::from_le_bytes)
    };
    let (length, start) = (number(end + 12)? as usize, number(end + 16)? as usize);
    let entries = entries_to_keep(file.get(start..start.checked_add(length)?)?)?;

    let mut container = file[..start].to_vec();
    let mut directory: Vec<u8> = entries.concat();
    for (name, text) in
        [(TYPES_PART, "<Types><Override/></Types>"), (PROPERTIES_PART, "<Properties/>")]
    {
        let offset = u32::try_from(container.len()).ok()?;
        let fields = header_fields(name, text.as_bytes());
        container.extend([LOCAL_HEADER_START, &fields, name.as_bytes()].concat());
        container.extend_from_slice(text.as_bytes());
        directory.extend([ENTRY_START, &fields, &[0; 10]].concat());
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let count = u16::try_from(entries.len() + 2).ok()?.to_le_bytes();
    let start = u32::try_from(container.len()).ok()?.to_le_bytes();
    let length = u32::try_from(directory.len()).ok()?.to_le_bytes();
    container.extend_from_slice(&directory);
    container.extend([END_SIGNATURE, &[0; 4], &count, &count, &length, &start, &[0, 0]].concat());
    Some(container)
}

/// Returns the entries of the central directory without those of the parts that will be replaced.
/// Returns `None` if an entry is malformed, or if no entry remains.
fn entries_to_keep(directory: &[u8]) -> Option<Vec<&[u8]>> {
    let mut unread = directory;
    let mut entries = Vec::new();
    while unread.starts_with(ENTRY_SIGNATURE) {
        // The lengths of the name, of the extra field and of the comment are at the bytes 28, 30
        // and 32 of an entry.
        let length = |offset: usize| {
            unread.get(offset..)?.first_chunk().copied().map(u16::from_le_bytes).map(usize::from)
        };
        let name_end = ENTRY_HEADER_SIZE + length(28)?;
        let entry_size = name_end + length(30)? + length(32)?;
        let name = unread.get(ENTRY_HEADER_SIZE..name_end)?;
        if ![TYPES_PART, PROPERTIES_PART].iter().any(|replaced| replaced.as_bytes() == name) {
            entries.push(unread.get(..entry_size)?);
        }
        unread = unread.get(entry_size..)?;
    }
    (!entries.is_empty()).then_some(entries)
}

/// Returns the fields that a part's local header and its directory entry have in common.
fn header_fields(name: &str, bytes: &[u8]) -> Vec<u8> {
    let size = u32::try_from(bytes.len()).unwrap_or_default().to_le_bytes();
    let name = u16::try_from(name.len()).unwrap_or_default().to_le_bytes();
    [&[0; 8], crc32(bytes).to_le_bytes().as_slice(), &size, &size, &name, &[0, 0]].concat()
}

/// Returns the CRC-32 of bytes, as ZIP defines it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    })
}
