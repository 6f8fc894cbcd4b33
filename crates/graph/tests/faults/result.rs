//! Types for the outcome of one upload against the simulator of Microsoft Graph: the result that
//! each row of the fault table expects, and what the simulator and the clock observed.

use std::collections::BTreeMap;

use docferry_domain::failure::FailureCode;

/// Result of the upload of a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FaultResult {
    pub(crate) outcome: Result<(), FailureCode>,
    /// Bytes that the simulator received beyond the document's size.
    pub(crate) excess_bytes: i64,
    /// Number of sessions that were created.
    pub(crate) sessions: usize,
    /// Number of sessions that are still open after the end.
    pub(crate) open_sessions: usize,
    /// Number of files in the drive after the end.
    pub(crate) files: usize,
    /// Number of objects in the exchange bucket after the end.
    pub(crate) exchange_objects: usize,
    /// Whether the delivery is recorded as rewritten by the service.
    pub(crate) rewritten: bool,
}

/// Result of a run, with the observations of the simulator and the clock.
pub(crate) struct Observation {
    pub(crate) result: FaultResult,
    /// Number of requests by operation.
    pub(crate) requests: BTreeMap<String, usize>,
    /// Paths of the files in the drive after the end.
    pub(crate) paths: Vec<String>,
    /// Time between the start and the end, by the test's clock.
    pub(crate) waited_seconds: i64,
}
