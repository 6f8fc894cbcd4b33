//! What the two kinds of status documents tell alike.

use std::time::Duration;

use crate::job::{JobState, JobStatus};
use crate::progress::PERCENT_AT_FIRST_BYTE;
use crate::wire::{TransferState, TransferStatus};

/// A status document of a transfer or a job.
pub trait Watched {
    /// Where it stands.
    fn state(&self) -> TransferState;
    /// 0 to 100.
    fn percent(&self) -> u8;
    /// Bytes delivered, where that is told.
    fn bytes(&self) -> Option<u64>;
    /// The size in bytes, once known.
    fn size(&self) -> Option<u64>;
    /// The document's name, once known.
    fn name(&self) -> Option<&str>;
    /// Whether it ended because somebody asked it to.
    fn was_stopped(&self) -> bool;
    /// Why it failed, in words for a person.
    fn failure(&self) -> String;
    /// When to ask again, where that is told.
    fn next_poll(&self) -> Option<Duration>;
}

impl Watched for TransferStatus {
    fn state(&self) -> TransferState {
        Self::state(self)
    }

    fn percent(&self) -> u8 {
        self.percent_transfered
    }

    fn bytes(&self) -> Option<u64> {
        None
    }

    fn size(&self) -> Option<u64> {
        // 0 is an empty document from the time on at which the size is known.
        let is_known = self.file_size > 0 || self.percent_transfered >= PERCENT_AT_FIRST_BYTE;
        is_known.then_some(self.file_size)
    }

    fn name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    fn was_stopped(&self) -> bool {
        self.was_terminated()
    }

    fn failure(&self) -> String {
        self.failure_message()
    }

    fn next_poll(&self) -> Option<Duration> {
        None
    }
}

impl Watched for JobStatus {
    fn state(&self) -> TransferState {
        match self.status {
            JobState::Completed => TransferState::Completed,
            JobState::Failed | JobState::Canceled | JobState::Expired => TransferState::Failed,
            JobState::Queued | JobState::Running | JobState::ProcessingArtifacts => {
                TransferState::Running
            }
        }
    }

    fn percent(&self) -> u8 {
        self.progress
    }

    fn bytes(&self) -> Option<u64> {
        Some(self.items.iter().map(|item| item.bytes_done).sum())
    }

    /// Of all documents, so known when the last of them has told its own.
    fn size(&self) -> Option<u64> {
        self.items.iter().map(|item| item.bytes_total).sum()
    }

    fn name(&self) -> Option<&str> {
        None
    }

    fn was_stopped(&self) -> bool {
        self.status == JobState::Canceled
    }

    fn failure(&self) -> String {
        match (&self.error, self.status) {
            (Some(error), _) => format!("{} [{}]", error.message, error.code),
            (None, JobState::Expired) => "it has expired: ask for the documents again".into(),
            (None, _) => format!("ended at {} % without saying why", self.progress),
        }
    }

    fn next_poll(&self) -> Option<Duration> {
        Self::next_poll(self)
    }
}
