//! Tests with ZIP containers that an independent writer (Python's `zipfile`) created.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_domain::document::{
    MAX_DIRECTORY_BYTES, ZIP_TAIL_BYTES, ZipContents, ZipDirectory, ZipKind,
};
use proptest::prelude::*;

/// A document as it was sent, with deflated parts.
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
/// The same content with other metadata, with stored parts and a comment.
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
/// The metadata of `REWRITTEN`, and a changed `word/document.xml` of the same size.
const OTHER: &str = concat!(
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

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

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

fn zip(container: &[u8]) -> ZipContents {
    match contents(container) {
        ZipKind::Zip(contents) => contents,
        other => panic!("{other:?}"),
    }
}

#[test]
fn content_parts_are_equal_when_only_metadata_changed() {
    let [sent, rewritten, other] = [SENT, REWRITTEN, OTHER].map(bytes);
    assert!(zip(&sent).is_same(&zip(&rewritten)));
    assert!(!zip(&sent).is_same(&zip(&other)));
    assert!(!zip(&rewritten).is_same(&zip(&other)));
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

/// Creates an end record with these fields, after `before` bytes.
fn container_with_end_record(before: usize, entries: u16, length: u32, offset: u32) -> Vec<u8> {
    let mut container = vec![b' '; before];
    container.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    container.extend_from_slice(&[entries.to_le_bytes(), entries.to_le_bytes()].concat());
    container.extend_from_slice(&[length.to_le_bytes(), offset.to_le_bytes()].concat());
    container.extend_from_slice(&[0, 0]);
    container
}

#[test]
fn zip_containers_beyond_the_limits_are_unreadable() {
    let longest = usize::try_from(MAX_DIRECTORY_BYTES).unwrap();
    let too_long = u32::try_from(longest + 1).unwrap();
    assert_eq!(
        contents(&container_with_end_record(longest + 1, 3, too_long, 0)),
        ZipKind::Unreadable
    );
    // ZIP64, and a directory that lacks the announced entries.
    assert_eq!(contents(&container_with_end_record(100, u16::MAX, 46, 0)), ZipKind::Unreadable);
    assert_eq!(contents(&container_with_end_record(100, 1, u32::MAX, 0)), ZipKind::Unreadable);
    assert_eq!(contents(&container_with_end_record(100, 1, 46, u32::MAX)), ZipKind::Unreadable);
    assert_eq!(contents(&container_with_end_record(100, 1, 46, 0)), ZipKind::Unreadable);
    // A directory outside the file, and one that is too short for its entries.
    assert_eq!(contents(&container_with_end_record(100, 1, 46, 90)), ZipKind::NotZip);
    assert_eq!(contents(&container_with_end_record(100, 3, 46, 0)), ZipKind::NotZip);
}

#[test]
fn zip_with_an_encrypted_part_or_duplicate_name_is_unreadable() {
    let sent = bytes(SENT);
    let entries: Vec<usize> =
        (0..sent.len()).filter(|at| sent[*at..].starts_with(b"PK\x01\x02")).collect();
    let mut encrypted = sent.clone();
    encrypted[entries[2] + 8] |= 1;
    assert_eq!(contents(&encrypted), ZipKind::Unreadable);
    // `word/styles.xml` under a name of the same length.
    let mut repeated = zip_of(&["word/a.xml", "word/b.xml"]);
    assert!(matches!(contents(&repeated), ZipKind::Zip(_)));
    let at = repeated.windows(10).rposition(|name| name == b"word/b.xml").unwrap();
    repeated[at + 5] = b'a';
    assert_eq!(contents(&repeated), ZipKind::Unreadable);
}

/// Creates a container that has only a directory with these parts.
fn zip_of(names: &[&str]) -> Vec<u8> {
    let mut directory = Vec::new();
    for name in names {
        let mut entry = [0_u8; 46];
        entry[..4].copy_from_slice(b"PK\x01\x02");
        entry[24] = 1;
        entry[28] = u8::try_from(name.len()).unwrap();
        directory.extend_from_slice(&entry);
        directory.extend_from_slice(name.as_bytes());
    }
    let length = u32::try_from(directory.len()).unwrap();
    let record = container_with_end_record(0, u16::try_from(names.len()).unwrap(), length, 0);
    [directory, record].concat()
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
        for (at, byte) in changes {
            let at = at.index(container.len());
            container[at] = byte;
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
