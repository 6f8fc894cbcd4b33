//! Idempotency record of a request. If the caller repeats a request with the same *idempotency
//! key*, the record leads to the job of the first request, and no second job is created.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::TransferId;

/// Record of a request with an idempotency key, and of the job that it created.
///
/// The record contains hashes, so that the values that the caller sent are not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdempotencyRecord {
    /// Hash of the caller and the idempotency key.
    pub key: String,
    /// Hash of the content of the request. A request with the same key and another content is
    /// refused.
    pub fingerprint: String,
    /// Id of the job that the request created.
    pub job_id: TransferId,
    /// End of the record's retention. It is the end of the job's retention at the time of the
    /// request. A later retry of the job extends only the retention of the job.
    #[serde(rename = "keepUntil")]
    pub retain_until: Timestamp,
}
