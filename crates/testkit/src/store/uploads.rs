//! In-memory implementation of the port [`UploadStore`]: upload sessions and the progress of
//! uploads.

use docferry_app::ports::{
    CheckpointAck, SealedSession, SessionRecord, StoreError, UploadStore, WriteError,
};
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::{ArrivedObject, Delivery, Transfer};
use docferry_domain::upload::Checkpoint;
use jiff::Timestamp;

use super::InMemoryTransferStore;
use super::guards::{not_ending, same_epoch, same_execution};

impl UploadStore for InMemoryTransferStore {
    async fn claim(&self, id: &TransferId, execution_number: u32) -> Result<Transfer, WriteError> {
        self.edit(id, not_ending(same_execution(execution_number)), |transfer| {
            transfer.epoch += 1;
            transfer.clone()
        })
    }

    async fn session(&self, id: &TransferId) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.tables().sessions.get(id).cloned())
    }

    async fn put_session(
        &self,
        id: &TransferId,
        epoch: u64,
        session: &SealedSession,
    ) -> Result<(), WriteError> {
        self.edit(id, not_ending(same_epoch(epoch)), |_| ())?;
        let record = SessionRecord { session: session.clone(), epoch };
        self.tables().sessions.insert(id.clone(), record);
        Ok(())
    }

    async fn delete_session_record(&self, id: &TransferId, epoch: u64) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if tables.sessions.get(id).is_some_and(|record| record.epoch == epoch) {
            tables.sessions.remove(id);
        }
        Ok(())
    }

    async fn replace_object(
        &self,
        id: &TransferId,
        epoch: u64,
        object: &ArrivedObject,
    ) -> Result<(), WriteError> {
        self.edit(id, same_epoch(epoch), |transfer| transfer.object = Some(object.clone()))
    }

    async fn checkpoint(
        &self,
        id: &TransferId,
        epoch: u64,
        checkpoint: &Checkpoint,
    ) -> Result<CheckpointAck, WriteError> {
        self.edit(id, same_epoch(epoch), |transfer| {
            transfer.checkpoint = Some(checkpoint.clone());
            transfer.bytes_done = transfer.bytes_done.max(checkpoint.offset);
            CheckpointAck { stop: transfer.cancel_requested || transfer.ending.is_some() }
        })
    }

    async fn pause_until(
        &self,
        id: &TransferId,
        epoch: u64,
        resume_at: Timestamp,
    ) -> Result<(), WriteError> {
        self.edit(id, same_epoch(epoch), |transfer| transfer.resume_at = Some(resume_at))
    }

    async fn record_delivery(
        &self,
        id: &TransferId,
        epoch: u64,
        delivery: &Delivery,
    ) -> Result<(), WriteError> {
        self.edit(id, same_epoch(epoch), |_| ())?;
        if let Delivery::Download(artifact) = delivery {
            self.tables().mark_delivered(&artifact.key)?;
        }
        self.edit(id, same_epoch(epoch), |transfer| {
            transfer.delivery = Some(delivery.clone());
            transfer.bytes_done =
                transfer.bytes_done.max(transfer.source.as_ref().map_or(0, |source| source.size));
        })
    }
}
