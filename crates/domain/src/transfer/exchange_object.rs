//! Objects of the exchange bucket, as HEAD requests show them. A *push* is a request to the
//! document source to copy a document into this bucket. docferry sends a HEAD request before or
//! after a push, and compares later objects with the result.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Metadata of an exchange object, from a HEAD request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Size in bytes.
    pub size: u64,
    /// Entity tag as the store writes it, with quotes.
    pub etag: String,
    /// Time at which the object was written, in whole seconds of the store's clock.
    pub last_modified: Timestamp,
}

/// Object under an exchange key just before or just after a push, from a HEAD request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FoundObject {
    /// There was no object.
    Absent,
    /// An object existed before the push was requested. It is not from this push.
    Before(ObjectVersion),
    /// An object existed just after the response to the push. It may be from this push or from
    /// an earlier one.
    After(ObjectVersion),
}

impl FoundObject {
    /// Converts the result of a HEAD request before the push.
    #[must_use]
    pub fn before(head: Option<ObjectHead>) -> Self {
        head.map_or(Self::Absent, |head| Self::Before(head.into()))
    }

    /// Converts the result of a HEAD request just after the push.
    #[must_use]
    pub fn after(head: Option<ObjectHead>) -> Self {
        head.map_or(Self::Absent, |head| Self::After(head.into()))
    }
}

/// Version of an object under one key. Versions cannot distinguish two writes of the same bytes
/// within one second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectVersion {
    /// Entity tag, quotes included.
    pub etag: String,
    /// Time of the write, in whole seconds. The clock is that of the store's node that wrote the
    /// object.
    pub last_modified: Timestamp,
}

impl ObjectVersion {
    /// Returns whether an object has this version.
    pub(super) fn is_same(&self, head: &ObjectHead) -> bool {
        self.etag == head.etag && self.last_modified.as_second() == head.last_modified.as_second()
    }
}

impl From<ObjectHead> for ObjectVersion {
    fn from(head: ObjectHead) -> Self {
        let ObjectHead { etag, last_modified, .. } = head;
        Self { etag, last_modified }
    }
}
