//! Checkpoint of an upload: the stored state from which another invocation of the Lambda
//! function continues.
//!
//! A small document is sent in one PUT request. A larger document is sent in *fragments* (ranges of
//! its bytes) to an *upload session*, which the drive opens for one file. A *run* of a transfer may
//! need several invocations and several sessions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::HashState;
use crate::failure::FailureCode;
use crate::upload::Throughput;

/// Stored state of an upload, from which another process can continue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Number of bytes that the drive has acknowledged in the present session.
    pub offset: u64,
    /// Hash state of the first bytes of the source. It covers at most `offset` bytes, except after
    /// the drive has lost acknowledged bytes.
    pub hash: HashState,
    /// Present length of fragments, in bytes.
    pub fragment_bytes: u64,
    /// Number of upload sessions opened in this run. A small document has no session; for it, the
    /// number becomes 1 just before the PUT. See [`Checkpoint::may_be_delivered`].
    pub sessions: u32,
    /// Whether a session was replaced because its last fragment failed repeatedly. This happens
    /// only once in a run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "freshSession")]
    pub replaced_for_last_fragment: bool,
    /// Counters that continue over all invocations of a run. They limit the repetitions.
    #[serde(default, skip_serializing_if = "UploadCounters::is_empty")]
    #[serde(rename = "tally")]
    pub counters: UploadCounters,
    /// Time until which a PUT of a small document may still take effect. The invocation that sends
    /// the PUT cannot be stopped, so the workflow's step `finalize` waits until this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "puttingUntil")]
    pub put_lease_until: Option<Timestamp>,
    /// Whether the document may have a numbered name at the destination.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub numbering: bool,
    /// Highest number in a name that a PUT of a small document has used.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u32,
    /// Id of the item that the drive returned in response to this upload's last byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "answered")]
    pub completed_item_id: Option<String>,
    /// Measured throughput.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "pace")]
    pub throughput: Option<Throughput>,
}

impl Checkpoint {
    /// Returns whether the document may be at the destination: a session was opened, or a
    /// PUT of a small document was about to be sent.
    #[must_use]
    pub const fn may_be_delivered(&self) -> bool {
        self.sessions > 0
    }
}

/// Counters of an upload that continue over its invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UploadCounters {
    /// Maximum number of bytes that the drive has acknowledged in any session of this run.
    /// Only a new maximum resets `setbacks` and `waits`.
    #[serde(rename = "furthest")]
    pub max_offset: u64,
    /// Number of times that the source was written again and the upload started over.
    pub renewals: u32,
    /// Number of times that the drive lost acknowledged bytes, or did not complete the file
    /// although it had every byte.
    pub setbacks: u32,
    /// Number of waits for a path that another upload session or an editor has locked.
    pub waits: u32,
    /// Reason why the last session was replaced. If the upload may not open a further session, it
    /// fails with this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_because: Option<FailureCode>,
}

impl UploadCounters {
    /// Returns whether every counter is zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}
