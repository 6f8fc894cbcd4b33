//! Jobs of the downloads API. A job of one document is a transfer, and a job of many documents is a
//! batch.

mod cancel;
mod content;
mod create;
mod get;
mod idempotency;
pub mod list;
pub mod retry;
mod types;

pub use cancel::{CancelResult, cancel_job, terminate};
pub use content::{ContentJob, ContentRequest, NewWork, content_job};
pub use create::{NewJob, initiate_job};
pub use get::{FetchableArtifact, Job, job_of};
pub use idempotency::{first_accepted_job, initiate_idempotent};
pub use types::{AcceptedJob, IdempotencyKey, JobRejection, JobSettings};
