//! Batches. A batch is a job of many documents. Each document is a transfer of its own, which is
//! scheduled like any other transfer. The record of the batch holds the data that all of its
//! documents share.

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
