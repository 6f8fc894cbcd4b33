//! Dependencies of the routers that create or change transfers. A transfer needs a *slot*: the
//! right to call ORDS (the document source) or to move bytes. Transfers wait for a slot in a queue,
//! and the scheduler gives free slots to them.

use docferry_app::ports::SlotAdapters;
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_domain::slots::SlotLimits;
use jiff::SignedDuration;

use crate::error::ApiError;

/// Dependencies and settings of the routers that create or change transfers.
#[derive(Debug)]
pub struct TransferApi<P: SlotAdapters> {
    /// Store of transfer records, the queue and the slots.
    pub store: P::Store,
    /// Starts workflow executions.
    pub workflow: P::Workflow,
    /// Source of the current time.
    pub clock: P::Clock,
    /// Time for which the record of an ended transfer is retained.
    pub record_ttl: SignedDuration,
    /// Maximum number of transfers that hold a slot at the same time, for each kind of destination.
    pub limits: SlotLimits,
    /// Whether the service is in drain mode. It then refuses new work, and running transfers
    /// continue.
    pub drain: bool,
}

impl<P: SlotAdapters> TransferApi<P> {
    /// Returns [`ApiError::Draining`] in drain mode.
    pub(crate) const fn ensure_not_draining(&self) -> Result<(), ApiError> {
        if self.drain { Err(ApiError::Draining) } else { Ok(()) }
    }

    /// Returns the scheduler that gives slots to transfers.
    pub(crate) fn scheduler(&self) -> SlotScheduler<'_, P> {
        let Self { store, workflow, clock, limits, .. } = self;
        SlotScheduler { store, workflow, clock, limits: *limits }
    }
}
