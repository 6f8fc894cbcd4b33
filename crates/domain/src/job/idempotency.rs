//! Idempotency record of a request: it lets a repeated request return the job of the first
//! request.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::TransferId;

/// Idempotency record of a request. Another request with the same key creates no job, and its
/// response contains the job of the first request.
///
/// Both hashes cover values that the caller sent. The values themselves are not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdempotencyRecord {
    /// Hash of the caller and the idempotency key.
    pub key: String,
    /// Hash of the content of the request.
    pub fingerprint: String,
    /// Id of the job that the request created.
    pub job_id: TransferId,
    /// End of the record's retention. It equals the end of the job's retention, unless the job
    /// was retried later.
    #[serde(rename = "keepUntil")]
    pub retain_until: Timestamp,
}
