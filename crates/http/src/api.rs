use docferry_app::admit::Admitter;
use docferry_domain::Limits;
use jiff::SignedDuration;

use crate::problem::ApiError;

/// What routers work with that create or change work.
#[derive(Debug)]
pub struct TransferApi<S, W, C> {
    /// Records, queue and slots.
    pub store: S,
    /// Runs transfers.
    pub workflow: W,
    /// The time.
    pub clock: C,
    /// How long an ended record is kept.
    pub record_ttl: SignedDuration,
    /// How many may move bytes at once.
    pub limits: Limits,
    /// Whether no new work is taken, so that what runs can come to its end.
    pub drain: bool,
}

impl<S, W, C> TransferApi<S, W, C> {
    /// Refuses new work while there is to be none.
    pub(crate) const fn takes_work(&self) -> Result<(), ApiError> {
        if self.drain { Err(ApiError::Draining) } else { Ok(()) }
    }

    pub(crate) fn admitter(&self) -> Admitter<'_, S, W, C> {
        let Self { store, workflow, clock, limits, .. } = self;
        Admitter { store, workflow, clock, limits: *limits }
    }
}
