//! [`StatusDocument`], the common view of the status of a transfer and the status of a job.
//!
//! A transfer delivers one document and belongs to the older API. A job delivers one or more
//! documents and belongs to the downloads API. Watching and displaying them needs only this view.

use std::time::Duration;

use crate::job::{JobState, JobStatus};
use crate::percentage::PERCENT_AT_UPLOAD_START;
use crate::wire::{TransferState, TransferStatus};

/// The body of a status response, for a transfer or a job.
pub trait StatusDocument {
    /// State of the transfer or job.
    fn state(&self) -> TransferState;
    /// Progress from 0 to 100.
    fn percent(&self) -> u8;
    /// Bytes delivered so far, or `None` if the status contains only a percentage.
    fn bytes(&self) -> Option<u64>;
    /// Size in bytes, once known.
    fn size(&self) -> Option<u64>;
    /// File name of the document, once known.
    fn name(&self) -> Option<&str>;
    /// Whether the transfer or job was canceled on request.
    fn was_canceled(&self) -> bool;
    /// Cause of a failure, for display.
    fn failure(&self) -> String;
    /// Pause before the next poll, if the status asks for one.
    fn next_poll(&self) -> Option<Duration>;
}

impl StatusDocument for TransferStatus {
    fn state(&self) -> TransferState {
        Self::state(self)
    }

    fn percent(&self) -> u8 {
        self.percent_transfered
    }

    /// The older API reports a percentage and no bytes.
    fn bytes(&self) -> Option<u64> {
        None
    }

    fn size(&self) -> Option<u64> {
        // Before the upload starts, a size of 0 means that the size is not known. Afterwards, it
        // means that the document is empty.
        let is_known = self.file_size > 0 || self.percent_transfered >= PERCENT_AT_UPLOAD_START;
        is_known.then_some(self.file_size)
    }

    fn name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    fn was_canceled(&self) -> bool {
        self.was_terminated()
    }

    fn failure(&self) -> String {
        self.failure_message()
    }

    fn next_poll(&self) -> Option<Duration> {
        None
    }
}

impl StatusDocument for JobStatus {
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

    /// Total size of all documents, or `None` until the size of each document is known.
    fn size(&self) -> Option<u64> {
        self.items.iter().map(|item| item.bytes_total).sum()
    }

    fn name(&self) -> Option<&str> {
        None
    }

    fn was_canceled(&self) -> bool {
        self.status == JobState::Canceled
    }

    fn failure(&self) -> String {
        match (&self.error, self.status) {
            (Some(error), _) => format!("{} [{}]", error.message, error.code),
            (None, JobState::Expired) => "the job has expired; request the documents again".into(),
            (None, _) => format!("ended at {} % without a reason", self.progress),
        }
    }

    fn next_poll(&self) -> Option<Duration> {
        Self::next_poll(self)
    }
}
