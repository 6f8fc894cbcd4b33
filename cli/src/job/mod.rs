//! JSON types of the downloads API, spelled as in its contract.
//!
//! Presigned URLs are bearer secrets. Only [`JobUrl`] holds one; it is never printed or
//! serialized. The types of status documents leave their URLs out.

mod list;
mod request;
mod status;

pub use list::{JobFilter, JobPage, JobSummary};
pub use request::{JobAccepted, NewJob, Priority};
pub(crate) use request::{JobCanceling, KnownDocument};
pub use status::{FetchResponse, JobError, JobItem, JobState, JobStatus, JobUrl, Timestamps};
