//! Settings and results of a *sweep*, the background repair that runs once a minute.
//!
//! A *work item* is a transfer, batch or download that the sweep checks. An *execution* is one run
//! of the workflow for a transfer. An *outbox* holds messages that were not sent yet.

use jiff::{SignedDuration, Timestamp};

use crate::finish::FinalizeSettings;

/// Limits of a sweep.
#[derive(Debug, Clone, Copy)]
pub struct SweepSettings {
    /// Interval between two checks of a transfer whose execution is running.
    pub check_interval: SignedDuration,
    /// Time after the deadline of a transfer at which the sweeper ends the transfer. Steps that
    /// still run notice the deadline before that.
    pub deadline_grace: SignedDuration,
    /// Maximum number of executions in one run of a transfer.
    pub max_executions: u32,
    /// Maximum number of items of each kind in one sweep: transfers recovered, transfers
    /// cleaned up, expired downloads, outcomes, audit events, and webhook notifications.
    pub max_items: usize,
    /// Settings of [`finalize`](crate::finish::finalize).
    pub finalize: FinalizeSettings,
}

impl Default for SweepSettings {
    fn default() -> Self {
        Self {
            check_interval: SignedDuration::from_mins(5),
            deadline_grace: SignedDuration::from_secs(60),
            max_executions: 3,
            max_items: 200,
            finalize: FinalizeSettings::default(),
        }
    }
}

/// Sources of work outside the table of transfers, and the queues to which the sweep sends the
/// messages of all outboxes.
#[derive(Debug)]
pub struct OutboxQueues<'a, R, E, A, W> {
    /// Withdrawals whose copies have to be removed.
    pub withdrawals: &'a R,
    /// Outbox of audit events.
    pub events: &'a E,
    /// Queues of the audit trail.
    pub audit: &'a A,
    /// Queue of webhook notifications.
    pub webhook: &'a W,
}

/// Counts of the work of one sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Work items checked.
    pub seen: usize,
    /// Executions started.
    pub started: usize,
    /// Transfers ended or cleaned up.
    pub finalized: usize,
    /// Outcomes sent that `notify` had not sent.
    pub sent: usize,
    /// Audit events sent: denials, and events that `notify` had not sent.
    pub events_sent: usize,
    /// Webhook notifications queued that `notify` had not queued.
    pub forwarded: usize,
    /// Copies of withdrawn documents removed.
    pub withdrawn_copies: usize,
    /// Slots freed that had no active holder.
    pub reclaimed: usize,
    /// Work items that failed. A later sweep retries them.
    pub failed: usize,
}

/// Counts of the removal of copies of withdrawn documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct WithdrawalsSwept {
    /// Copies removed.
    pub(super) removed: usize,
    /// Withdrawals that failed. The next sweep retries them.
    pub(super) failed: usize,
}

/// Result of handling a work item, which decides when the item is checked again.
pub(super) enum ItemResult {
    /// The item needed no repair, or cannot be repaired yet.
    Unchanged { next_check: Timestamp },
    /// An execution was started.
    Started,
    /// The transfer was ended or cleaned up.
    Finalized { next_check: Timestamp },
    /// The transfer was queued, and the same write has rescheduled the item.
    Queued,
}
