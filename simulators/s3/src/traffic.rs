//! Counters of calls and body bytes for each operation.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use crate::operation::Operation;

/// Counters of one operation.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counters {
    /// Number of requests, including those that failed.
    calls: u64,
    /// Number of body bytes received, as transmitted.
    request_bytes: u64,
    /// Number of body bytes sent.
    response_bytes: u64,
}

/// Counters of all operations that were called.
#[derive(Debug, Default)]
pub(crate) struct Traffic(Mutex<BTreeMap<Operation, Counters>>);

impl Traffic {
    fn counters(&self) -> MutexGuard<'_, BTreeMap<Operation, Counters>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request.
    pub(crate) fn called(&self, operation: Operation) {
        self.counters().entry(operation).or_default().calls += 1;
    }

    /// Counts bytes of a request body.
    pub(crate) fn received(&self, operation: Operation, bytes: usize) {
        self.counters().entry(operation).or_default().request_bytes += bytes as u64;
    }

    /// Counts bytes of a response body.
    pub(crate) fn sent(&self, operation: Operation, bytes: u64) {
        self.counters().entry(operation).or_default().response_bytes += bytes;
    }

    /// Sets all counters to zero.
    pub(crate) fn clear(&self) {
        self.counters().clear();
    }

    /// Returns the counters by the name of the operation.
    pub(crate) fn list(&self) -> BTreeMap<&'static str, impl Serialize> {
        self.counters().iter().map(|(operation, counters)| (operation.name(), *counters)).collect()
    }
}
