//! Checks of paging through the documents of a subject while documents are added.

use std::collections::BTreeSet;

use docferry_app::ports::{Registry, RegistryRange, RegistryWriter, UpsertResult};
use docferry_domain::document::{DocumentRecord, Position, Subject};
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use super::registry::unique;
use crate::builders::{document_record, epoch, subject};

/// Number of records that are written at a time.
const CONCURRENT_WRITES: usize = 4;

/// Registers `originals` documents of a subject and reads them in pages of `page_size`, the oldest
/// first and the newest first. After each page, documents are added before all others, around the
/// end of the page, at its very time, and after all others.
///
/// # Panics
/// When a document that was there at the beginning is lost, when a document is listed twice, when a
/// document that was added ahead of the reader is lost, or when one behind the reader is listed.
pub async fn paging_while_documents_are_added(
    registry: &(impl Registry + RegistryWriter),
    originals: i64,
    page_size: usize,
) {
    let base = unique();
    let mut list = List { registry, subject: subject(&format!("S-{base}")), base, len: 0 };
    // Three documents at a time have the same time.
    let times = (0..originals).map(|number| epoch() + SignedDuration::from_mins(number / 3));
    let mut known = list.add(times).await;
    for newest_first in [false, true] {
        let expected = known.clone();
        let (mut read, mut ahead, mut behind) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut range =
            RegistryRange { sort_keys: None..None, after: None, newest_first, limit: page_size };
        loop {
            let page = registry.page(&list.subject, &range).await.unwrap();
            assert!(page.documents.len() <= page_size);
            read.extend(page.documents.iter().map(DocumentRecord::position));
            let Some(after) = page.more_after else { break };
            for added in list.add(around(&after)).await {
                known.insert(added.clone());
                let is_ahead = if newest_first { added < after } else { added > after };
                (if is_ahead { &mut ahead } else { &mut behind }).insert(added);
            }
            range.after = Some(after);
        }
        let unique: BTreeSet<_> = read.iter().cloned().collect();
        assert_eq!(unique.len(), read.len(), "a document is listed twice");
        assert!(read.is_sorted_by(|a, b| if newest_first { a > b } else { a < b }));
        assert!(unique.is_superset(&expected), "an original document is lost");
        assert!(unique.is_superset(&ahead), "a document ahead of the reader is lost");
        assert!(unique.is_disjoint(&behind), "a document behind the reader is listed");
        let pages = ahead.len() + behind.len();
        assert!(pages >= 5 * (expected.len() / page_size - 1), "too few documents were added");
    }
}

/// Returns the times of the documents to add after a page that ends at this position.
fn around(end: &Position) -> [Timestamp; 5] {
    let (second, year) = (SignedDuration::from_secs(1), SignedDuration::from_hours(365 * 24));
    [epoch() - year, end.indexed - second, end.indexed, end.indexed + second, epoch() + year]
}

/// Documents of one subject.
struct List<'a, R> {
    registry: &'a R,
    subject: Subject,
    /// Number of the first document.
    base: u64,
    len: u64,
}

impl<R: RegistryWriter> List<'_, R> {
    /// Registers a document for each time at which it was indexed. Returns their positions.
    async fn add(&mut self, times: impl IntoIterator<Item = Timestamp>) -> BTreeSet<Position> {
        let mut records = Vec::new();
        for indexed in times {
            let record = document_record(self.base + self.len);
            records.push(DocumentRecord { subject: self.subject.clone(), indexed, ..record });
            self.len += 1;
        }
        let positions = records.iter().map(DocumentRecord::position).collect();
        let registry = self.registry;
        let writes = records.iter().map(|record| async move {
            assert_eq!(registry.upsert(record).await.unwrap(), UpsertResult::Stored);
        });
        stream::iter(writes).buffer_unordered(CONCURRENT_WRITES).collect::<()>().await;
        positions
    }
}
