//! Sizes, positions and numbers of entries at the limits of the format without ZIP64.

use docferry_domain::document::Crc32;
use docferry_domain::zip::{Layout, Plan};
use proptest::prelude::*;

use crate::plan::check_rules;
use crate::reader::{Archive, open};
use crate::zeros;

const MAX_32: u64 = 0xFFFF_FFFF;
const GIB: u64 = 1 << 30;
/// Length of the local header of a document of [`zeros`] without ZIP64.
const HEADER_LEN: u64 = 30 + 9;

/// Returns the number of ZIP64 values in the local header and in the directory entry, for each
/// entry.
fn zip64_values(archive: &Archive) -> Vec<[u64; 2]> {
    let values = archive.entries.iter().map(|entry| [entry.local_zip64, entry.directory_zip64]);
    values.collect()
}

#[test]
fn zip64_sizes_are_used_only_above_4_gib_minus_1() {
    let archive = open(&zeros::layout(&[MAX_32 - 1], 10));
    assert_eq!(zip64_values(&archive)[0], [0, 0]);
    let archive = open(&zeros::layout(&[MAX_32], 10));
    assert_eq!(zip64_values(&archive)[0], [0, 0]);
    let archive = open(&zeros::layout(&[MAX_32 + 1], 10));
    assert_eq!(zip64_values(&archive)[0], [2, 2]);
}

#[test]
fn zip64_offsets_are_used_only_above_4_gib_minus_1() {
    for (offset, expected) in [(MAX_32 - 1, 0), (MAX_32, 0), (MAX_32 + 1, 1)] {
        let archive = open(&zeros::layout(&[offset - HEADER_LEN, 20_000_000], 10));
        assert_eq!(archive.entries[1].offset, offset);
        assert_eq!(zip64_values(&archive)[..2], [[0, 0], [0, expected]]);
    }
}

/// A reader looks for each field with the maximum in the ZIP64 values, if there are any.
#[test]
fn field_with_the_maximum_is_in_zip64_if_another_field_is() {
    let archive = open(&zeros::layout(&[5 * GIB, MAX_32], 10));
    assert_eq!(zip64_values(&archive), [[2, 2], [0, 3], [0, 1]]);
    let archive = open(&zeros::layout(&[MAX_32 - HEADER_LEN, 5 * GIB], 10));
    assert_eq!(archive.entries[1].offset, MAX_32);
    assert_eq!(zip64_values(&archive), [[0, 0], [2, 3], [0, 1]]);
}

#[test]
fn zip64_end_record_is_used_only_for_more_than_65_535_entries() {
    // The manifest is an entry too.
    for (documents, has_zip64_end) in [(65_533, false), (65_534, false), (65_535, true)] {
        let archive = open(&zeros::layout(&vec![1; documents], 10));
        assert_eq!(archive.entries.len(), documents + 1);
        assert_eq!(archive.has_zip64_end, has_zip64_end);
        assert!(zip64_values(&archive).iter().all(|values| *values == [0, 0]));
    }
}

#[test]
fn zip64_end_record_is_used_only_for_a_directory_above_4_gib_minus_1() {
    // The manifest has a name of 13 bytes and no content.
    let before = HEADER_LEN + 30 + 13;
    for (directory, expected) in [(MAX_32 - 1, false), (MAX_32, false), (MAX_32 + 1, true)] {
        let archive = open(&zeros::layout(&[directory - before], 0));
        assert_eq!(archive.directory, directory);
        assert_eq!(archive.has_zip64_end, expected);
    }
}

#[test]
fn archive_crc_is_that_of_its_bytes_above_4_gib() {
    let sizes = [4 * GIB + 5, 100];
    let entry = |(number, size)| zeros::entry(number, size, zeros::crc_of_zeros(size));
    let entries = sizes.into_iter().enumerate().map(entry).collect();
    let layout = Layout::new(entries, zeros::manifest(30)).unwrap();

    let mut hasher = crc32fast::Hasher::new();
    let block = vec![0; 1 << 20];
    for segment in layout.segments() {
        if let docferry_domain::zip::Segment::Generated(record) = segment {
            hasher.update(&record);
            continue;
        }
        let mut remaining = usize::try_from(segment.size()).unwrap();
        while remaining > 0 {
            let next = remaining.min(block.len());
            hasher.update(&block[..next]);
            remaining -= next;
        }
    }
    assert_eq!(layout.crc32(), Crc32::new(hasher.finalize()));
    let checksums = Plan::new(&layout).unwrap();
    let checksums = checksums.parts().iter().map(|part| (part.crc32.unwrap(), part.size()));
    assert_eq!(Crc32::of_parts(checksums), layout.crc32());
}

proptest! {
    #[test]
    fn records_of_archives_of_any_sizes_are_read_back(
        sizes in proptest::collection::vec(
            prop_oneof![0_u64..1000, 0..20 * GIB, MAX_32 - 100..MAX_32 + 3, Just(MAX_32)],
            0..12,
        ),
        manifest_size in 0_u64..1000,
    ) {
        let layout = zeros::layout(&sizes, manifest_size);
        let archive = open(&layout);
        let ordered = layout.order().iter().map(|entry| (format!("{entry:05}.pdf"), sizes[*entry]));
        let expected: Vec<_> =
            ordered.chain([("manifest.json".to_owned(), manifest_size)]).collect();
        let read: Vec<_> =
            archive.entries.iter().map(|entry| (entry.name.clone(), entry.size)).collect();
        prop_assert_eq!(read, expected);
        for entry in &archive.entries {
            prop_assert_eq!(entry.local_zip64 > 0, entry.size > MAX_32);
            prop_assert_eq!(entry.directory_zip64 > 0, entry.size > MAX_32 || entry.offset > MAX_32);
        }
        prop_assert_eq!(archive.has_zip64_end, archive.directory > MAX_32);
        check_rules(&layout, &Plan::new(&layout).unwrap());
    }
}
