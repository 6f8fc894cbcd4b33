//! Ports of the records of transfers: one trait per use.

mod exchange_keys;
mod pushes;
mod recovery;
mod transfers;
mod uploads;

use crate::ports::{ArtifactStore, BatchStore, JobStore, NotificationOutbox, Outbox, SlotStore};

pub use exchange_keys::{ExchangeKeyStore, Release};
pub use pushes::{PushRecord, PushStore};
pub use recovery::{FIRST_CHECK_DELAY, RecoveryStore, WorkItem};
pub use transfers::TransferStore;
pub use uploads::{CheckpointAck, SealedSession, SessionRecord, UploadStore};

/// Everything that the DynamoDB table holds.
pub trait Store:
    TransferStore
    + UploadStore
    + PushStore
    + ExchangeKeyStore
    + RecoveryStore
    + SlotStore
    + BatchStore
    + Outbox
    + NotificationOutbox
    + ArtifactStore
    + JobStore
{
}

impl<
    T: TransferStore
        + UploadStore
        + PushStore
        + ExchangeKeyStore
        + RecoveryStore
        + SlotStore
        + BatchStore
        + Outbox
        + NotificationOutbox
        + ArtifactStore
        + JobStore,
> Store for T
{
}
