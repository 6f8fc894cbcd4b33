//! Parameters and results of the requests for jobs.

use docferry_domain::ids::TransferId;
use jiff::{SignedDuration, Timestamp};

use crate::TaskError;
use crate::transfer::create::InitiateSettings;

/// Idempotency key of a request. Both fields are hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Hash of the caller and the key that it sent.
    pub key: String,
    /// Hash of the request's content.
    pub fingerprint: String,
}

/// Limits of jobs.
#[derive(Debug, Clone, Copy)]
pub struct JobSettings {
    /// Limits of each transfer.
    pub initiate: InitiateSettings,
    /// Retention of a job and its delivery, counted from the request.
    pub job_ttl: SignedDuration,
}

/// An accepted job.
#[derive(Debug, Clone)]
pub struct AcceptedJob {
    /// Id of the job, for polling its state.
    pub job_id: TransferId,
    /// End of the retention of the job and its delivery.
    pub retain_until: Timestamp,
}

/// Why a job was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum JobRejection {
    /// Some documents are unknown. Contains their positions in the request, from 0.
    #[error("some documents are not known")]
    Unknown(Vec<usize>),
    /// The idempotency key was used for a different request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The first request with the same idempotency key is still being recorded.
    #[error("the request is still being recorded")]
    Pending,
    /// The service is not able to record the job now.
    #[error(transparent)]
    Failed(#[from] TaskError),
}
