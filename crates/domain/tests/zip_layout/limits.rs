//! Limits of a multipart upload, and numbers of calls.

use docferry_domain::document::Crc32;
use docferry_domain::zip::{ArchiveTooLarge, Layout, PRELUDE_BYTES, PartSource, Plan, Segment};

use crate::plan::check_rules;
use crate::sample::MIB;
use crate::zeros;

const GIB: u64 = 1024 * MIB;

/// Plans an archive and checks the rules of its parts.
fn plan(sizes: &[u64]) -> Result<(Layout, Plan), ArchiveTooLarge> {
    let layout = zeros::layout(sizes, 2_000_000);
    let plan = Plan::new(&layout)?;
    check_rules(&layout, &plan);
    Ok((layout, plan))
}

fn calls(sizes: &[u64]) -> u64 {
    plan(sizes).unwrap().1.calls()
}

fn uploaded_document_bytes(layout: &Layout, plan: &Plan) -> u64 {
    let uploads = plan.parts().iter().filter(|part| part.source == PartSource::Upload);
    let segments = uploads.flat_map(|part| layout.segments_in(part.range.clone()));
    segments
        .map(|segment| match segment {
            Segment::Document { range, .. } => range.end - range.start,
            Segment::Generated(_) | Segment::Manifest(_) => 0,
        })
        .sum()
}

#[test]
fn numbers_of_calls_are_those_of_the_contract() {
    assert_eq!(calls(&[10 * MIB; 1000]), 2003);
    assert_eq!(calls(&[5 * GIB; 3]), 9);
    assert_eq!(calls(&[MIB; 10_000]), 12_003);
}

#[test]
fn bytes_of_large_and_medium_documents_are_never_uploaded() {
    let (layout, plan) = plan(&[10 * MIB, 7 * MIB, 20 * GIB]).unwrap();
    assert_eq!(uploaded_document_bytes(&layout, &plan), 0);
}

#[test]
fn each_byte_of_packed_documents_is_uploaded_once() {
    let (layout, plan) = plan(&[MIB; 10_000]).unwrap();
    assert_eq!(uploaded_document_bytes(&layout, &plan), 10_000 * MIB);
}

#[test]
fn empty_documents_cost_no_read() {
    assert_eq!(calls(&[0; 10_000]), 3);
    assert_eq!(calls(&[]), 3);
}

#[test]
fn medium_documents_are_packed_when_they_need_too_many_parts() {
    let has_preludes = |count: usize| {
        let sizes = vec![6 * MIB; count];
        let (_, plan) = plan(&sizes).unwrap();
        plan.parts().iter().any(|part| matches!(part.source, PartSource::CopyPrelude { .. }))
    };
    assert!(has_preludes(9999));
    assert!(!has_preludes(10_000));
}

#[test]
fn packed_documents_get_longer_parts_when_few_parts_are_free() {
    // 4,949 large documents leave 102 parts for 1 GiB and for the directory.
    let mut sizes = vec![10 * MIB; 4949];
    sizes.extend(vec![MIB; 1024]);
    let (_, plan) = plan(&sizes).unwrap();
    let packed = plan.parts().iter().filter(|part| part.source == PartSource::Upload);
    let longest = packed.map(|part| part.size()).max().unwrap();
    assert!((11 * MIB..12 * MIB).contains(&longest), "{longest}");
    assert!(plan.parts().len() <= 10_000);
}

#[test]
fn archives_with_too_many_parts_are_refused() {
    let refused = Some(ArchiveTooLarge::Parts);
    assert_eq!(plan(&[10 * MIB; 4999]).err(), None);
    assert_eq!(plan(&[10 * MIB; 5000]).err(), refused);
    // Each document has 2,500 ranges.
    let huge = 2500 * 5 * GIB;
    assert_eq!(plan(&[huge; 3]).err(), None);
    assert_eq!(plan(&[huge; 4]).err(), refused);
    assert_eq!(plan(&[u64::MAX / 4]).err(), refused);
}

#[test]
fn parts_of_packed_documents_above_16_mib_are_refused() {
    // 4,949 large documents leave 102 parts, 101 of them for packed documents.
    let sizes = |packed: u64| {
        let mut sizes = vec![10 * MIB; 4949];
        sizes.extend((0..packed).map(|_| 4 * MIB));
        sizes
    };
    assert_eq!(plan(&sizes(403)).err(), None);
    assert_eq!(plan(&sizes(404)).err(), Some(ArchiveTooLarge::Parts), "16 MiB with headers");
}

#[test]
fn small_packed_documents_fit_into_the_last_part_alone() {
    // The parts of the large documents: 4,998 preludes with one range, and one with two.
    let mut sizes = vec![10 * MIB; 4998];
    sizes.push(PRELUDE_BYTES + 6 * GIB);
    sizes.push(3 * MIB);
    assert_eq!(plan(&sizes).unwrap().1.parts().len(), 10_000);
    sizes.push(3 * MIB);
    assert_eq!(plan(&sizes).err(), Some(ArchiveTooLarge::Parts));
}

#[test]
fn last_part_above_5_gib_is_refused() {
    let layout = zeros::layout(&[MIB], 1);
    assert!(Plan::new(&layout).is_ok());
    let mut manifest = zeros::manifest(1);
    manifest.size = 5 * GIB;
    let layout = Layout::new(vec![zeros::entry(0, MIB, Crc32::new(1))], manifest).unwrap();
    assert_eq!(Plan::new(&layout).err(), Some(ArchiveTooLarge::Bytes));
}
