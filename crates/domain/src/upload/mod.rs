//! Uploads of documents to OneDrive.
//!
//! The state machine decides the next command of an upload. It uses the plan of fragments, the
//! conflict policy, and the table of refusals, which lists the error responses of Microsoft
//! Graph.

mod checkpoint;
mod fragment;
mod machine;
mod policy;
pub mod refusal;
mod throughput;

pub use checkpoint::{Checkpoint, UploadCounters};
pub use fragment::{
    FragmentPlan, FragmentRange, GRANULE_BYTES, LARGEST_FRAGMENT_BYTES, SMALL_FILE_BYTES,
};
pub use machine::{
    CandidateNames, Command, DriveEvent, ExpectedRange, InvocationOutcome, MAX_FAILURES,
    MAX_RENEWALS, MAX_SESSIONS, Occupancy, Persist, UploadMachine, UploadRules,
};
pub use policy::ConflictPolicy;
pub use throughput::{Throughput, eta_seconds};
