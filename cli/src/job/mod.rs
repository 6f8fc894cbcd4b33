//! JSON types of the downloads API, spelled as in its contract. A job makes documents available for
//! download.
//!
//! A presigned URL of a document works without credentials, so it is a secret. Only [`JobUrl`]
//! contains one, and it is never printed or serialized. The types of status documents leave the
//! URLs out.

mod list;
mod request;
mod status;

pub use list::{JobFilter, JobPage, JobSummary};
pub use request::{JobAccepted, NewJob, Priority};
pub(crate) use request::{JobCanceling, KnownDocument};
pub use status::{FetchResponse, JobError, JobItem, JobState, JobStatus, JobUrl, Timestamps};
