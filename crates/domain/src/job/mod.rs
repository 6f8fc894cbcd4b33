//! Jobs as callers of the API see them: their state, events, idempotency keys and
//! notifications.
//!
//! A job is either the transfer of one document or a batch of several documents.

mod batch;
mod counts;
mod events;
mod idempotency;
mod notification;
mod state;

pub use batch::{Batch, MAX_DOCUMENTS, OnItemError};
pub use counts::BatchCounts;
pub use events::{Cursor, InvalidEventId, JobEvent, JobSnapshot, events_since};
pub use idempotency::IdempotencyRecord;
pub use notification::WebhookNotification;
pub use state::{JobState, next_poll_ms};
