//! Response bodies of the downloads API, version 1.
//!
//! Times are ISO 8601 in UTC, as [`time`] formats them.

mod accepted;
mod delivery;
mod status;

use docferry_domain::job::JobState;
use jiff::Timestamp;

pub use accepted::{FileAvailability, JobAccepted, JobCanceling, JobRetried};
pub use delivery::{DeliveredDocument, DeliveryPlace, DocumentKey, JobResult, JobResults};
pub use status::{
    JobError, JobItem, JobList, JobStatus, JobTransientError, ListedJob, Progress, Timestamps,
};

/// Returns the name of a state on the wire.
#[must_use]
pub const fn name(state: JobState) -> &'static str {
    state.as_str()
}

/// Formats a time as ISO 8601 in UTC, to the millisecond.
#[must_use]
pub fn time(timestamp: Timestamp) -> String {
    format!("{timestamp:.3}")
}
