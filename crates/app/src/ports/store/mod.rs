//! Ports of the store for the records of transfers.
//!
//! | trait | what the store holds |
//! |---|---|
//! | [`TransferStore`] | the transfers, from creation to end |
//! | [`PushStore`] | pushes: requests to the source to put a document into the exchange bucket |
//! | [`ExchangeKeyStore`] | the names of objects in the exchange bucket, and their users |
//! | [`UploadStore`] | the progress of a delivery |
//! | [`RecoveryStore`] | the unfinished work that the sweeper checks |

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

/// All ports that the DynamoDB table of transfers implements.
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
