//! Batches: many documents in one job. Each document is a transfer of its own, scheduled like
//! any other; the batch holds what they share.

mod advance;
mod create;
mod documents;
mod recover;
mod resume;

pub(crate) use advance::advance_batch;
pub use advance::cancel_batch;
pub use create::{BatchDocument, CreateBatchResult, NewBatch, initiate_batch};
pub(crate) use documents::PARALLEL_WRITES;
pub(crate) use recover::recover_batch;
