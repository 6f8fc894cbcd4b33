//! Ports and settings of the step `finalize`, which ends a transfer and cleans up after it.

use jiff::SignedDuration;

use crate::ports::FinishAdapters;

/// Time after the end of a transfer during which its document may still arrive in the exchange
/// bucket.
pub(crate) const LATE_PUSH_WATCH: SignedDuration = SignedDuration::from_hours(1);

/// Retention periods after the end of a transfer.
#[derive(Debug, Clone, Copy)]
pub struct FinalizeSettings {
    /// Retention of the record of an ended transfer.
    pub record_ttl: SignedDuration,
    /// Time after the end during which the document may still arrive in the exchange bucket. The
    /// sweeper, the background repair, deletes the document when it arrives.
    pub late_push_watch: SignedDuration,
}

impl Default for FinalizeSettings {
    fn default() -> Self {
        Self { record_ttl: SignedDuration::from_hours(168), late_push_watch: LATE_PUSH_WATCH }
    }
}

/// Ports of [`finalize`](super::finalize).
#[derive(Debug)]
pub struct FinishPorts<'a, P: FinishAdapters> {
    /// Transfer records.
    pub store: &'a P::Store,
    /// The recipient's drive, where an upload session may be open.
    pub drive: &'a P::Drive,
    /// The exchange bucket, from which the object of the document is deleted.
    pub exchange: &'a P::Exchange,
    /// The delivery bucket, which holds downloads.
    pub artifacts: &'a P::Artifacts,
    /// Decrypts upload URLs.
    pub sealer: &'a P::Sealer,
    /// Source of the current time.
    pub clock: &'a P::Clock,
}
