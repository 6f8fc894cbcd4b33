//! Idempotency records of requests.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::TransferId;

/// Idempotency record of a request. A repeated request with the same key creates no further
/// job and gets the first one.
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
    /// End of the record's retention. It is that of the job, unless the job is retried
    /// later.
    #[serde(rename = "keepUntil")]
    pub retain_until: Timestamp,
}
