//! What was asked, for tests and demos to look at.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

const KEPT: usize = 10_000;

/// One request. Never a URL or a credential: only what it was about.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The operation.
    pub operation: String,
    /// What it was about.
    pub subject: String,
    /// The status answered; null when the connection ended without an answer.
    pub status: Option<u16>,
    /// Body bytes received (or moved).
    pub bytes: u64,
    /// When it ended.
    pub at: String,
    /// Its header `traceparent`, as it came.
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

    /// Adds an entry and drops the oldest beyond the bound.
    pub fn add(&self, entry: Entry) {
        let mut entries = self.entries();
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// Forgets what was asked so far.
    pub fn clear(&self) {
        self.entries().clear();
    }

    /// All entries, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Entry> {
        self.entries().iter().cloned().collect()
    }
}
