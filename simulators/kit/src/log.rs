//! Log of the requests that a simulator has received. Tests and demos read it through the admin
//! interface.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

/// Maximum number of log entries.
const MAX_ENTRIES: usize = 10_000;

/// One logged request. It contains neither a URL nor a credential.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Name of the operation.
    pub operation: String,
    /// Object that the request concerns, such as a user and path.
    pub subject: String,
    /// Status of the response. It is `None` when the connection ended without a response.
    pub status: Option<u16>,
    /// Number of body bytes received, or moved by a background task.
    pub bytes: u64,
    /// Time at which the request ended.
    pub at: String,
    /// Header `traceparent` of the request, unchanged.
    pub traceparent: Option<String>,
}

/// The last 10,000 requests.
#[derive(Debug, Default)]
pub struct RequestLog {
    entries: Mutex<VecDeque<Entry>>,
}

impl RequestLog {
    fn entries(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends an entry and drops the oldest one when the log is full.
    pub fn add(&self, entry: Entry) {
        let mut entries = self.entries();
        if entries.len() == MAX_ENTRIES {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// Removes all entries.
    pub fn clear(&self) {
        self.entries().clear();
    }

    /// Returns all entries, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Entry> {
        self.entries().iter().cloned().collect()
    }
}
