//! Counters of a batch, which is a job of several documents.

use crate::failure::FailureCode;

/// Progress counters of a batch. Within a run (the first run, or a retry), they never decrease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchCounts {
    /// Number of documents that have ended, with any outcome.
    pub ended: u16,
    /// Number of documents that were delivered.
    pub completed: u16,
    /// Total size of the delivered documents, in bytes.
    pub bytes: u64,
    /// Failure of the first document that failed.
    pub first_failure: Option<FailureCode>,
}

impl BatchCounts {
    /// Returns the number of documents that have ended without being delivered.
    #[must_use]
    pub const fn failed(&self) -> u16 {
        self.ended.saturating_sub(self.completed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_ended_without_a_delivery_count_as_failed() {
        let some_delivered = BatchCounts { ended: 3, completed: 1, ..BatchCounts::default() };
        assert_eq!(some_delivered.failed(), 2);

        let all_delivered = BatchCounts { ended: 3, completed: 3, ..BatchCounts::default() };
        assert_eq!(all_delivered.failed(), 0);
    }
}
