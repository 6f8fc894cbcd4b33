use docferry_app::admit::Admitter;
use docferry_domain::Limits;
use jiff::SignedDuration;

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
}

impl<S, W, C> TransferApi<S, W, C> {
    pub(crate) fn admitter(&self) -> Admitter<'_, S, W, C> {
        let Self { store, workflow, clock, limits, .. } = self;
        Admitter { store, workflow, clock, limits: *limits }
    }
}
