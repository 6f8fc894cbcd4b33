//! Jobs as callers see them: state, batches, events, idempotency keys and notifications.

mod batch;
mod events;
mod idempotency;
mod notification;
mod state;

pub use batch::{Batch, BatchCounts, MAX_DOCUMENTS, OnItemError};
pub use events::{Cursor, InvalidEventId, JobEvent, JobSnapshot, events_since};
pub use idempotency::IdempotencyRecord;
pub use notification::WebhookNotification;
pub use state::{JobState, next_poll_ms};
