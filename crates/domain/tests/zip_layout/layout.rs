//! Segments and ranges of archives.

use docferry_domain::document::Crc32;
use docferry_domain::zip::{Entry, Layout, Segment};
use proptest::prelude::*;

use crate::reference;
use crate::sample::{Samples, any_samples, index, indices};

/// Returns the archive of the reference writer.
pub(crate) fn archive(samples: &Samples) -> Vec<u8> {
    let names: Vec<String> = samples.names().into_iter().map(String::from).collect();
    reference::write(samples, &names)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn segments_in_a_row_equal_the_archive_of_the_reference_writer(samples in any_samples(7)) {
        let (layout, archive) = (samples.layout(), archive(&samples));
        prop_assert_eq!(layout.total_size(), archive.len() as u64);
        prop_assert!(samples.read(layout.segments()) == archive);
        prop_assert_eq!(layout.crc32(), Crc32::of(&archive));
        prop_assert_eq!(layout.crc32_of(0..layout.total_size()), Some(layout.crc32()));
    }

    #[test]
    fn any_range_alone_equals_that_slice_of_the_archive(
        samples in any_samples(5),
        positions in proptest::collection::vec((any::<prop::sample::Index>(), 0_u64..200), 1..20),
        near_the_end in 0_u64..600,
    ) {
        let (layout, archive) = (samples.layout(), archive(&samples));
        let total = layout.total_size();
        let ranges = positions.iter().map(|(start, len)| {
            let start = start.index(archive.len()) as u64;
            start..(start + len).min(total)
        });
        let end = total.saturating_sub(near_the_end)..total;
        for range in ranges.chain(std::iter::once(end)) {
            let bytes = samples.read(layout.segments_in(range.clone()));
            prop_assert!(bytes == archive[indices(&range)], "{range:?}");
        }
    }

    #[test]
    fn archive_cut_at_any_positions_has_the_same_bytes(
        samples in any_samples(4),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (layout, archive) = (samples.layout(), archive(&samples));
        let mut cuts: Vec<u64> = cuts.iter().map(|cut| cut.index(archive.len()) as u64).collect();
        cuts.extend([0, layout.total_size()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| samples.read(layout.segments_in(cut[0]..cut[1])));
        prop_assert!(pieces.collect::<Vec<_>>().concat() == archive);
    }

    #[test]
    fn crc_of_a_range_equals_the_crc_of_its_bytes(
        samples in any_samples(5),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 2),
    ) {
        let (layout, archive) = (samples.layout(), archive(&samples));
        // Ranges between entries, or after the first bytes of a large document.
        let mut ends: Vec<u64> = cuts.iter().map(|(cut, after_first)| {
            let Some(entry) = cut.index(samples.documents.len() + 1).checked_sub(1) else { return 0 };
            let range = layout.entry_range(entry).unwrap();
            match layout.entries()[entry].prelude_content() {
                Some(prelude) if *after_first => {
                    range.start + prelude.local_header.len() as u64 + prelude.document.end
                }
                _ => range.end,
            }
        }).collect();
        ends.sort_unstable();
        let range = ends[0]..ends[1];
        let is_recorded = layout.entries().iter().all(|entry| entry.first_crc32.is_some()
            || entry.size < 10 * 1024 * 1024);
        let crc = layout.crc32_of(range.clone());
        prop_assert!(crc.is_some() || !is_recorded);
        if let Some(crc) = crc {
            prop_assert_eq!(crc, Crc32::of(&archive[indices(&range)]));
        }
    }

    #[test]
    fn prelude_object_is_the_beginning_of_its_entry(samples in any_samples(5)) {
        let (layout, archive) = (samples.layout(), archive(&samples));
        for (entry, document) in samples.documents.iter().enumerate() {
            let range = layout.entry_range(entry).unwrap();
            prop_assert!(archive[indices(&range)].ends_with(document.bytes()));
            let facts = &layout.entries()[entry];
            let header = facts.local_header();
            prop_assert!(archive[index(range.start)..].starts_with(&header));
            let Some(prelude) = facts.prelude_content() else {
                prop_assert!(facts.size < 5 * 1024 * 1024);
                continue;
            };
            let object = [&header, &document.bytes()[indices(&prelude.document)]].concat();
            prop_assert!(archive[index(range.start)..].starts_with(&object));
            prop_assert!(object.len() >= 5 * 1024 * 1024);
            if let Some(crc) = prelude.crc32 {
                prop_assert_eq!(crc, Crc32::of(&object));
            }
        }
    }
}

#[test]
fn ranges_beyond_the_archive_have_no_segments() {
    let layout = crate::zeros::layout(&[1, 20], 7);
    let total = layout.total_size();
    let segments = |start, end| layout.segments_in(start..end).count();
    assert_eq!([segments(total, total + 5), segments(u64::MAX, u64::MAX), segments(3, 3)], [0; 3]);
    assert_eq!(segments(40, 3), 0, "a range that ends before it begins");
    let last: Vec<Segment> = layout.segments_in(total - 1..u64::MAX).collect();
    assert_eq!(last, [Segment::Generated(vec![0])]);
    assert_eq!(layout.entry_range(2), None);
}

#[test]
fn archive_without_documents_contains_only_the_manifest() {
    let layout = crate::zeros::layout(&[], 5);
    // Header and name, content, directory entry and name, end record.
    assert_eq!(layout.total_size(), (30 + 13) + 5 + (46 + 13) + 22);
}

#[test]
fn archive_of_more_bytes_than_a_number_can_count_is_refused() {
    let entries = |sizes: &[u64]| -> Vec<Entry> {
        sizes
            .iter()
            .enumerate()
            .map(|(n, size)| crate::zeros::entry(n, *size, Crc32::new(0)))
            .collect()
    };
    let manifest = crate::zeros::manifest(0);
    for sizes in [&[u64::MAX][..], &[u64::MAX / 2, u64::MAX / 2], &[u64::MAX - 100]] {
        assert!(Layout::new(entries(sizes), manifest).is_err());
    }
    assert!(Layout::new(entries(&[u64::MAX - 1000]), manifest).is_ok());
}
