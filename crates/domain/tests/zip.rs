//! Tests of the comparison of ZIP containers. OneDrive rewrites some containers, such as Office
//! files, after an upload; they are compared by their content parts. An independent writer
//! (Python's `zipfile`) created the containers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_domain::document::{
    MAX_DIRECTORY_BYTES, ZIP_TAIL_BYTES, ZipContents, ZipDirectory, ZipKind,
};
use proptest::prelude::*;

/// A document as it was sent, with deflated parts, in base64.
const SENT: &str = concat!(
    "UEsDBBQAAAAIAABIfF3HHBc8CgAAAAgAAAATAAAAW0NvbnRlbnRfVHlwZXNdLnhtbLMJqSxILda3AwBQSwMEFAAAAAgA",
    "AEh8XYLZHNUSAAAAEAAAAAsAAABfcmVscy8ucmVsc7MJSs1JLMnMzyvOyCwo1rcDAFBLAwQUAAAACAAASHxdFTFvJUAA",
    "AAAhAQAAEQAAAHdvcmQvZG9jdW1lbnQueG1ssym3SslPLs1NzSux8yxRyCxWyC9KSS1KTVEoyUgsARKpCokFBamJOQpJ",
    "qQopmcW5mcXFqSl6CsNZrY0+UqAAAFBLAwQUAAAACAAASHxdauxYJQ0AAAALAAAADwAAAHdvcmQvc3R5bGVzLnhtbLMp",
    "tyouqcxJLda3AwBQSwMEFAAAAAgAAEh8XTvschYWAAAAFAAAABEAAABkb2NQcm9wcy9jb3JlLnhtbLNJLrBKzi9KDSjK",
    "L0gtKslMLda3AwBQSwECFAMUAAAACAAASHxdxxwXPAoAAAAIAAAAEwAAAAAAAAAAAAAAgAEAAAAAW0NvbnRlbnRfVHlw",
    "ZXNdLnhtbFBLAQIUAxQAAAAIAABIfF2C2RzVEgAAABAAAAALAAAAAAAAAAAAAACAATsAAABfcmVscy8ucmVsc1BLAQIU",
    "AxQAAAAIAABIfF0VMW8lQAAAACEBAAARAAAAAAAAAAAAAACAAXYAAAB3b3JkL2RvY3VtZW50LnhtbFBLAQIUAxQAAAAI",
    "AABIfF1q7FglDQAAAAsAAAAPAAAAAAAAAAAAAACAAeUAAAB3b3JkL3N0eWxlcy54bWxQSwECFAMUAAAACAAASHxdO+xy",
    "FhYAAAAUAAAAEQAAAAAAAAAAAAAAgAEfAQAAZG9jUHJvcHMvY29yZS54bWxQSwUGAAAAAAUABQA1AQAAZAEAAAAA",
);
/// The content of `SENT` with changed metadata. Its parts are not compressed, and the container
/// has a comment.
const REWRITTEN: &str = concat!(
    "UEsDBBQAAAAAAABIfF3ovLypGgAAABoAAAATAAAAW0NvbnRlbnRfVHlwZXNdLnhtbDxUeXBlcz48T3ZlcnJpZGUvPjwv",
    "VHlwZXM+UEsDBBQAAAAAAABIfF0m4wqwIwAAACMAAAALAAAAX3JlbHMvLnJlbHM8UmVsYXRpb25zaGlwcz48Ui8+PC9S",
    "ZWxhdGlvbnNoaXBzPlBLAwQUAAAAAAAASHxdFTFvJSEBAAAhAQAAEQAAAHdvcmQvZG9jdW1lbnQueG1sPHc6ZG9jdW1l",
    "bnQ+SXQgaXMgb3JkZXJlZCB0aGF0IHRoZSBhcHBlYWwgYmUgZGlzbWlzc2VkLiBJdCBpcyBvcmRlcmVkIHRoYXQgdGhl",
    "IGFwcGVhbCBiZSBkaXNtaXNzZWQuIEl0IGlzIG9yZGVyZWQgdGhhdCB0aGUgYXBwZWFsIGJlIGRpc21pc3NlZC4gSXQg",
    "aXMgb3JkZXJlZCB0aGF0IHRoZSBhcHBlYWwgYmUgZGlzbWlzc2VkLiBJdCBpcyBvcmRlcmVkIHRoYXQgdGhlIGFwcGVh",
    "bCBiZSBkaXNtaXNzZWQuIEl0IGlzIG9yZGVyZWQgdGhhdCB0aGUgYXBwZWFsIGJlIGRpc21pc3NlZC4gPC93OmRvY3Vt",
    "ZW50PlBLAwQUAAAAAAAASHxdauxYJQsAAAALAAAADwAAAHdvcmQvc3R5bGVzLnhtbDx3OnN0eWxlcy8+UEsDBBQAAAAA",
    "AABIfF077HIWFAAAABQAAAARAAAAZG9jUHJvcHMvY29yZS54bWw8Y3A6Y29yZVByb3BlcnRpZXMvPlBLAwQUAAAAAAAA",
    "SHxdiP6Stg0AAAANAAAAEwAAAGRvY1Byb3BzL2N1c3RvbS54bWw8UHJvcGVydGllcy8+UEsDBBQAAAAAAABIfF2T1TUc",
    "BAAAAAQAAAATAAAAY3VzdG9tWG1sL2l0ZW0xLnhtbDxwLz5QSwECFAMUAAAAAAAASHxd6Ly8qRoAAAAaAAAAEwAAAAAA",
    "AAAAAAAAgAEAAAAAW0NvbnRlbnRfVHlwZXNdLnhtbFBLAQIUAxQAAAAAAABIfF0m4wqwIwAAACMAAAALAAAAAAAAAAAA",
    "AACAAUsAAABfcmVscy8ucmVsc1BLAQIUAxQAAAAAAABIfF0VMW8lIQEAACEBAAARAAAAAAAAAAAAAACAAZcAAAB3b3Jk",
    "L2RvY3VtZW50LnhtbFBLAQIUAxQAAAAAAABIfF1q7FglCwAAAAsAAAAPAAAAAAAAAAAAAACAAecBAAB3b3JkL3N0eWxl",
    "cy54bWxQSwECFAMUAAAAAAAASHxdO+xyFhQAAAAUAAAAEQAAAAAAAAAAAAAAgAEfAgAAZG9jUHJvcHMvY29yZS54bWxQ",
    "SwECFAMUAAAAAAAASHxdiP6Stg0AAAANAAAAEwAAAAAAAAAAAAAAgAFiAgAAZG9jUHJvcHMvY3VzdG9tLnhtbFBLAQIU",
    "AxQAAAAAAABIfF2T1TUcBAAAAAQAAAATAAAAAAAAAAAAAACAAaACAABjdXN0b21YbWwvaXRlbTEueG1sUEsFBgAAAAAH",
    "AAcAtwEAANUCAAAUAHNhdmVkIGJ5IHRoZSBzZXJ2aWNl",
);
/// The metadata of `REWRITTEN` with changed content: its `word/document.xml` has the same size
/// as in `SENT` but other text.
const CHANGED: &str = concat!(
    "UEsDBBQAAAAIAABIfF3ovLypGAAAABoAAAATAAAAW0NvbnRlbnRfVHlwZXNdLnhtbLMJqSxILbaz8S9LLSrKTEnVt7PR",
    "hwgBAFBLAwQUAAAACAAASHxdJuMKsBkAAAAjAAAACwAAAF9yZWxzLy5yZWxzswlKzUksyczPK87ILCi2swnSt7PRRxUD",
    "AFBLAwQUAAAACAAASHxdiXeWkz0AAAAhAQAAEQAAAHdvcmQvZG9jdW1lbnQueG1ssym3SslPLs1NzSux8yxRyCxWyC9K",
    "SS1KTVEoyUgsARKpCokFBamJOQpJQFZOTn45UEpBT2E4q7XRRwoUAFBLAwQUAAAACAAASHxdauxYJQ0AAAALAAAADwAA",
    "AHdvcmQvc3R5bGVzLnhtbLMptyouqcxJLda3AwBQSwMEFAAAAAgAAEh8XTvschYWAAAAFAAAABEAAABkb2NQcm9wcy9j",
    "b3JlLnhtbLNJLrBKzi9KDSjKL0gtKslMLda3AwBQSwMEFAAAAAgAAEh8XYj+krYPAAAADQAAABMAAABkb2NQcm9wcy9j",
    "dXN0b20ueG1sswkoyi9ILSrJTC3WtwMAUEsDBBQAAAAIAABIfF2T1TUcBgAAAAQAAAATAAAAY3VzdG9tWG1sL2l0ZW0x",
    "LnhtbLMp0LcDAFBLAQIUAxQAAAAIAABIfF3ovLypGAAAABoAAAATAAAAAAAAAAAAAACAAQAAAABbQ29udGVudF9UeXBl",
    "c10ueG1sUEsBAhQDFAAAAAgAAEh8XSbjCrAZAAAAIwAAAAsAAAAAAAAAAAAAAIABSQAAAF9yZWxzLy5yZWxzUEsBAhQD",
    "FAAAAAgAAEh8XYl3lpM9AAAAIQEAABEAAAAAAAAAAAAAAIABiwAAAHdvcmQvZG9jdW1lbnQueG1sUEsBAhQDFAAAAAgA",
    "AEh8XWrsWCUNAAAACwAAAA8AAAAAAAAAAAAAAIAB9wAAAHdvcmQvc3R5bGVzLnhtbFBLAQIUAxQAAAAIAABIfF077HIW",
    "FgAAABQAAAARAAAAAAAAAAAAAACAATEBAABkb2NQcm9wcy9jb3JlLnhtbFBLAQIUAxQAAAAIAABIfF2I/pK2DwAAAA0A",
    "AAATAAAAAAAAAAAAAACAAXYBAABkb2NQcm9wcy9jdXN0b20ueG1sUEsBAhQDFAAAAAgAAEh8XZPVNRwGAAAABAAAABMA",
    "AAAAAAAAAAAAAIABtgEAAGN1c3RvbVhtbC9pdGVtMS54bWxQSwUGAAAAAAcABwC3AQAA7QEAAAAA",
);

fn bytes(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

/// Locates and reads the directory of a container, as the upload does.
fn contents(container: &[u8]) -> ZipKind<ZipContents> {
    let size = container.len() as u64;
    let tail_start = size.saturating_sub(ZIP_TAIL_BYTES);
    let tail = &container[usize::try_from(tail_start).unwrap()..];
    match ZipDirectory::locate(tail, size) {
        ZipKind::Zip(directory) => {
            let at = |position| usize::try_from(position).unwrap();
            let bytes = &container[at(directory.range.start)..at(directory.range.end)];
            ZipContents::read(bytes, &directory)
        }
        ZipKind::Unreadable => ZipKind::Unreadable,
        ZipKind::NotZip => ZipKind::NotZip,
    }
}

/// Returns the contents of a readable container.
fn zip(container: &[u8]) -> ZipContents {
    match contents(container) {
        ZipKind::Zip(contents) => contents,
        other => panic!("{other:?}"),
    }
}

#[test]
fn content_parts_are_equal_when_only_metadata_changed() {
    let [sent, rewritten, changed] = [SENT, REWRITTEN, CHANGED].map(bytes);
    assert!(zip(&sent).is_same(&zip(&rewritten)));
    assert!(!zip(&sent).is_same(&zip(&changed)));
    assert!(!zip(&rewritten).is_same(&zip(&changed)));
}

#[test]
fn bytes_after_a_zip_container_are_allowed_within_the_tail() {
    let sent = bytes(SENT);
    let appended = [&sent[..], &[b'!'; 5000]].concat();
    assert!(zip(&sent).is_same(&zip(&appended)));
    let beyond = [sent, vec![b'!'; usize::try_from(ZIP_TAIL_BYTES).unwrap()]].concat();
    assert_eq!(contents(&beyond), ZipKind::NotZip);
}

#[test]
fn files_of_other_types_are_not_zip_containers() {
    for bytes in [&b""[..], b"PK", b"%PDF-1.7 PK\x05\x06", &[0; 100]] {
        assert_eq!(contents(bytes), ZipKind::NotZip);
    }
    let sent = bytes(SENT);
    assert_eq!(contents(&sent[..sent.len() - 1]), ZipKind::NotZip, "truncated");
}

/// Fields of an end record, which locates the directory.
struct EndRecord {
    entries: u16,
    directory_len: u32,
    directory_offset: u32,
}

/// Creates a container of `bytes_before` spaces and an end record.
fn container_with_end_record(bytes_before: usize, record: &EndRecord) -> Vec<u8> {
    let &EndRecord { entries, directory_len, directory_offset } = record;
    let mut container = vec![b' '; bytes_before];
    container.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    container.extend_from_slice(&[entries.to_le_bytes(), entries.to_le_bytes()].concat());
    container
        .extend_from_slice(&[directory_len.to_le_bytes(), directory_offset.to_le_bytes()].concat());
    container.extend_from_slice(&[0, 0]);
    container
}

/// Length of a directory with one entry without a name.
const ENTRY_LEN: u32 = 46;
/// End record of a directory at the beginning of the container, with one entry.
const ONE_ENTRY: EndRecord =
    EndRecord { entries: 1, directory_len: ENTRY_LEN, directory_offset: 0 };

#[test]
fn zip_directory_beyond_the_maximum_length_is_unreadable() {
    let too_long = usize::try_from(MAX_DIRECTORY_BYTES).unwrap() + 1;
    let record = EndRecord {
        entries: 3,
        directory_len: u32::try_from(too_long).unwrap(),
        directory_offset: 0,
    };
    assert_eq!(contents(&container_with_end_record(too_long, &record)), ZipKind::Unreadable);
}

#[test]
fn zip64_container_is_unreadable() {
    for record in [
        EndRecord { entries: u16::MAX, ..ONE_ENTRY },
        EndRecord { directory_len: u32::MAX, ..ONE_ENTRY },
        EndRecord { directory_offset: u32::MAX, ..ONE_ENTRY },
    ] {
        assert_eq!(contents(&container_with_end_record(100, &record)), ZipKind::Unreadable);
    }
}

#[test]
fn zip_directory_without_the_announced_entries_is_unreadable() {
    assert_eq!(contents(&container_with_end_record(100, &ONE_ENTRY)), ZipKind::Unreadable);
}

#[test]
fn end_record_with_an_impossible_directory_is_not_a_zip_container() {
    let outside_the_file = EndRecord { directory_offset: 90, ..ONE_ENTRY };
    let too_short_for_its_entries = EndRecord { entries: 3, ..ONE_ENTRY };
    for record in [outside_the_file, too_short_for_its_entries] {
        assert_eq!(contents(&container_with_end_record(100, &record)), ZipKind::NotZip);
    }
}

#[test]
fn zip_with_an_encrypted_part_or_duplicate_name_is_unreadable() {
    let sent = bytes(SENT);
    let entries: Vec<usize> =
        (0..sent.len()).filter(|at| sent[*at..].starts_with(b"PK\x01\x02")).collect();
    let mut encrypted = sent.clone();
    // The lowest bit of byte 8 of an entry marks an encrypted part.
    encrypted[entries[2] + 8] |= 1;
    assert_eq!(contents(&encrypted), ZipKind::Unreadable);

    // The second part, `word/b.xml`, gets the name of the first.
    let mut repeated = zip_of(&["word/a.xml", "word/b.xml"]);
    assert!(matches!(contents(&repeated), ZipKind::Zip(_)));
    let start = repeated.windows(10).rposition(|name| name == b"word/b.xml").unwrap();
    repeated[start + "word/".len()] = b'a';
    assert_eq!(contents(&repeated), ZipKind::Unreadable);
}

/// Creates a container that has only a directory with these parts.
fn zip_of(names: &[&str]) -> Vec<u8> {
    let mut directory = Vec::new();
    for name in names {
        // Byte 24 is the size of the part, and byte 28 is the length of its name.
        let mut entry = [0_u8; 46];
        entry[..4].copy_from_slice(b"PK\x01\x02");
        entry[24] = 1;
        entry[28] = u8::try_from(name.len()).unwrap();
        directory.extend_from_slice(&entry);
        directory.extend_from_slice(name.as_bytes());
    }
    let directory_len = u32::try_from(directory.len()).unwrap();
    let entries = u16::try_from(names.len()).unwrap();
    let record = EndRecord { entries, directory_len, directory_offset: 0 };
    [directory, container_with_end_record(0, &record)].concat()
}

#[test]
fn zip_container_without_content_proves_nothing() {
    for names in [&[][..], &["[Content_Types].xml", "docProps/core.xml", "_rels/.rels"]] {
        let container = zip_of(names);
        if let ZipKind::Zip(contents) = contents(&container) {
            assert!(!contents.is_same(&contents), "{names:?}");
        }
    }
    let one = zip(&zip_of(&["word/document.xml"]));
    assert!(one.is_same(&one));
    let two = zip(&zip_of(&["word/document.xml", "word/media/image1.png"]));
    assert!(!one.is_same(&two) && !two.is_same(&one), "a missing part is a difference");
    let folder = zip(&zip_of(&["word/", "word/document.xml", "DOCPROPS/APP.XML", "meta.xml"]));
    assert!(one.is_same(&folder), "folders and metadata do not count");
}

proptest! {
    /// Reading ends for every input, and the directory is always inside the container.
    #[test]
    fn hostile_zip_containers_are_read_within_their_limits(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut container = bytes(REWRITTEN);
        for (position, byte) in changes {
            let position = position.index(container.len());
            container[position] = byte;
        }
        container.truncate(cut.index(container.len()).max(container.len() / 2));
        let size = container.len() as u64;
        if let ZipKind::Zip(directory) = ZipDirectory::locate(&container, size) {
            prop_assert!(directory.range.end <= size);
            prop_assert!(directory.range.end - directory.range.start <= MAX_DIRECTORY_BYTES);
        }
        let _kind = contents(&container);
    }
}
