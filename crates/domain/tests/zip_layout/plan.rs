//! The parts of an upload, carried out by a simulated S3.

use docferry_domain::document::Crc32;
use docferry_domain::zip::{
    LARGE_BYTES, Layout, MAX_PART_BYTES, MAX_PARTS, MEDIUM_BYTES, MIN_PART_BYTES, PRELUDE_BYTES,
    Part, PartSource, Plan, PreludeState, Segment,
};
use proptest::prelude::*;

use crate::layout::archive;
use crate::sample::{Samples, any_samples, indices};
use crate::zeros;

/// Returns the bytes of a part, from prelude objects, documents and generated records. Fails if an
/// uploaded part contains bytes of a large document that S3 should copy.
fn carry_out(samples: &Samples, layout: &Layout, part: &Part) -> Vec<u8> {
    match &part.source {
        PartSource::Upload => {
            for segment in layout.segments_in(part.range.clone()) {
                if let Segment::Document { entry, range } = segment
                    && layout.entries()[entry].size >= LARGE_BYTES
                {
                    assert_eq!(samples.documents[entry].prelude, PreludeState::Missing);
                    assert_eq!(range, 0..PRELUDE_BYTES);
                }
            }
            samples.read(layout.segments_in(part.range.clone()))
        }
        PartSource::CopyPrelude { entry } => {
            assert_eq!(samples.documents[*entry].prelude, PreludeState::Stored);
            let prelude = layout.entries()[*entry].prelude_content().unwrap();
            let document = &samples.documents[*entry].bytes()[indices(&prelude.document)];
            [&prelude.local_header, document].concat()
        }
        PartSource::CopyRange { entry, range } => {
            let document = samples.documents[*entry].bytes();
            assert!(document.len() as u64 > MIN_PART_BYTES, "S3 refuses ranges of smaller objects");
            document[indices(range)].to_vec()
        }
    }
}

/// Checks the rules of a multipart upload.
pub(crate) fn check_rules(layout: &Layout, plan: &Plan) {
    let parts = plan.parts();
    assert!(parts.len() as u64 <= MAX_PARTS);
    let mut position = 0;
    for (index, part) in parts.iter().enumerate() {
        assert_eq!(part.number as usize, index + 1);
        assert_eq!(part.range.start, position);
        let len = part.size();
        let is_last = index + 1 == parts.len();
        assert!(len <= MAX_PART_BYTES && (len >= MIN_PART_BYTES || is_last), "{part:?}");
        if let PartSource::CopyRange { entry, range } = &part.source {
            assert!(layout.entries()[*entry].size > MIN_PART_BYTES);
            assert_eq!(range.end - range.start, len);
        }
        position = part.range.end;
    }
    assert_eq!(position, layout.total_size());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn parts_in_a_row_equal_the_archive_and_have_the_expected_crc(samples in any_samples(8)) {
        let (layout, archive) = (samples.layout(), archive(&samples));
        let plan = Plan::new(&layout).unwrap();
        check_rules(&layout, &plan);
        let mut checksums = Vec::new();
        for part in plan.parts() {
            let bytes = carry_out(&samples, &layout, part);
            prop_assert!(bytes == archive[indices(&part.range)], "{part:?}");
            let crc = Crc32::of(&bytes);
            if let Some(expected) = part.crc32 {
                prop_assert_eq!(crc, expected);
            } else {
                let entry = match part.source {
                    PartSource::CopyPrelude { entry } | PartSource::CopyRange { entry, .. } => entry,
                    PartSource::Upload => layout.segments_in(part.range.clone())
                        .find_map(|segment| match segment {
                            Segment::Document { entry, .. } => Some(entry),
                            _ => None,
                        })
                        .unwrap(),
                };
                prop_assert_eq!(layout.entries()[entry].first_crc32, None);
            }
            checksums.push((crc, bytes.len() as u64));
        }
        prop_assert_eq!(Crc32::of_parts(checksums), layout.crc32());
    }

    #[test]
    fn parts_of_a_document_have_its_crc_together(samples in any_samples(4)) {
        let layout = samples.layout();
        let plan = Plan::new(&layout).unwrap();
        for (entry, document) in samples.documents.iter().enumerate() {
            if (document.bytes().len() as u64) < MEDIUM_BYTES {
                continue;
            }
            let range = layout.entry_range(entry).unwrap();
            let parts = plan.parts_in(&range);
            prop_assert_eq!(parts[0].range.start, range.start);
            prop_assert_eq!(parts[parts.len() - 1].range.end, range.end);
            let checksums = parts.iter().map(|part| {
                let bytes = carry_out(&samples, &layout, part);
                (Crc32::of(&bytes), bytes.len() as u64)
            });
            prop_assert_eq!(Some(Crc32::of_parts(checksums)), layout.crc32_of(range));
        }
    }

    #[test]
    fn part_rules_hold_for_mixed_sizes_in_any_order(
        sizes in proptest::collection::vec(
            prop_oneof![
                4 => 0_u64..6 * 1024 * 1024,
                2 => MEDIUM_BYTES - 1..=LARGE_BYTES + 1,
                1 => LARGE_BYTES..50 << 30,
                1 => (1_u64..9).prop_map(|ranges| PRELUDE_BYTES + ranges * MAX_PART_BYTES),
                1 => (1_u64..9).prop_map(|ranges| PRELUDE_BYTES + ranges * MAX_PART_BYTES + 1),
            ],
            0..400,
        ),
    ) {
        let layout = zeros::layout(&sizes, 100_000);
        let plan = Plan::new(&layout).unwrap();
        check_rules(&layout, &plan);
        prop_assert_eq!(&Plan::new(&layout).unwrap(), &plan, "the plan is deterministic");
        let more_ranges = sizes.iter()
            .map(|size| size.saturating_sub(PRELUDE_BYTES).div_ceil(MAX_PART_BYTES).max(1) - 1);
        let most_calls = 2 * sizes.len() as u64 + 3 + more_ranges.sum::<u64>();
        prop_assert!(plan.calls() <= most_calls);
    }
}

#[test]
fn large_document_is_copied_as_its_prelude_and_nearly_equal_ranges() {
    let size = PRELUDE_BYTES + 2 * MAX_PART_BYTES + 1;
    let layout = zeros::layout(&[size], 10);
    let plan = Plan::new(&layout).unwrap();
    let sources: Vec<&PartSource> = plan.parts().iter().map(|part| &part.source).collect();
    let third = (2 * MAX_PART_BYTES + 1).div_ceil(3);
    let copy = |start: u64, end: u64| PartSource::CopyRange {
        entry: 0,
        range: PRELUDE_BYTES + start..PRELUDE_BYTES + end,
    };
    let expected = [
        &PartSource::CopyPrelude { entry: 0 },
        &copy(0, third),
        &copy(third, 2 * third),
        &copy(2 * third, 3 * third - 1),
        &PartSource::Upload,
    ];
    assert_eq!(sources, expected);
    let known: Vec<bool> = plan.parts().iter().map(|part| part.crc32.is_some()).collect();
    assert_eq!(known, [true, false, false, false, true]);
}

#[test]
fn crc_of_a_copied_rest_is_known_without_reading_it() {
    let size = 3 << 30;
    let crc32 = zeros::crc_of_zeros(size);
    let entries = vec![zeros::entry(0, size, crc32)];
    let layout = Layout::new(entries, zeros::manifest(0)).unwrap();
    let plan = Plan::new(&layout).unwrap();
    let rest = &plan.parts()[1];
    let first = zeros::crc_of_zeros(PRELUDE_BYTES);
    assert_eq!(rest.crc32, Some(Crc32::of_rest(crc32, first, size - PRELUDE_BYTES)));
    assert_eq!(rest.crc32, Some(zeros::crc_of_zeros(size - PRELUDE_BYTES)));
}

#[test]
fn missing_preludes_are_uploaded_and_cost_one_read_each() {
    let mut entries: Vec<_> = [11 << 20, 6 << 20, 1 << 20, 0]
        .into_iter()
        .enumerate()
        .map(|(number, size)| zeros::entry(number, size, Crc32::new(1)))
        .collect();
    let calls = |entries: &Vec<_>| {
        let layout = Layout::new(entries.clone(), zeros::manifest(10)).unwrap();
        let plan = Plan::new(&layout).unwrap();
        check_rules(&layout, &plan);
        plan.calls()
    };
    // Create and Complete, two parts of the large document, one of the medium document, the last
    // part, and one read of the document of 1 MiB.
    assert_eq!(calls(&entries), 2 + 2 + 1 + 1 + 1);
    for entry in &mut entries {
        entry.prelude = PreludeState::Missing;
    }
    assert_eq!(calls(&entries), 2 + 2 + 1 + 1 + 1 + 2);
}
