//! Documents of a batch. A *batch* is a job of many documents, each of which is a transfer. The
//! documents are read and queued page by page.

use docferry_domain::job::Batch;
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::Transfer;
use futures::{TryStreamExt as _, stream};

use crate::TaskError;
use crate::ports::{SlotAdapters, SlotStore as _, Store, WriteError};
use crate::slots::scheduler::SlotScheduler;

/// Number of documents in a page.
pub(super) const PAGE: usize = 25;

/// Maximum number of documents that are written in parallel.
pub(crate) const PARALLEL_WRITES: usize = 8;

/// Returns the documents of a batch as a stream of pages.
pub(crate) fn pages<'a>(
    store: &'a impl Store,
    batch: &'a Batch,
) -> impl futures::Stream<Item = Result<Vec<Transfer>, TaskError>> + 'a {
    stream::try_unfold(0, move |from: u16| async move {
        if from >= batch.documents {
            return Ok(None);
        }
        let page = store.documents(&batch.batch_id, from, PAGE).await?;
        let last = page.last().and_then(|document| document.transfer_id.batch_and_number());
        Ok(last.map(|(_, number)| (page, number.saturating_add(1))))
    })
}

/// Queues those of the `documents` that have not begun and are not queued yet. Then grants free
/// slots (rights to move bytes) to queued transfers.
pub(crate) async fn enqueue<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    documents: &[Transfer],
) -> Result<(), TaskError> {
    let is_to_be_queued = |document: &&Transfer| {
        document.phase == Phase::Accepted && document.slot_state == SlotState::Idle
    };
    stream::iter(documents.iter().filter(is_to_be_queued).map(Ok::<_, TaskError>))
        .try_for_each_concurrent(PARALLEL_WRITES, async |document| {
            match scheduler.store.enqueue(document, document.must_end_by()).await {
                // The document was canceled meanwhile.
                Ok(()) | Err(WriteError::Ended) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
    if let Some(first) = documents.first() {
        scheduler.fill_slots_best_effort(first.pool).await;
    }
    Ok(())
}
