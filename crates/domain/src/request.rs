use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::TransferId;

/// A request that its caller gave a name, so that it may be sent again: it makes one
/// job, however often it comes.
///
/// Both hashes are over what the caller sent, which stays out of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedRequest {
    /// Hash of the caller and its name for the request.
    pub key: String,
    /// Hash of what it asks for.
    pub fingerprint: String,
    /// What it made.
    pub job_id: TransferId,
    /// Until when it is remembered: as long as what it made, if that is not run again.
    pub keep_until: Timestamp,
}
