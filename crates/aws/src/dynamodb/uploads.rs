//! Writes of the upload: its session, checkpoints, pauses and the delivery. All are fenced by
//! the epoch.

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{
    CheckpointAck, SealedSession, SessionRecord, StoreError, UploadStore, WriteError,
};
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::{ArrivedObject, Delivery, Transfer};
use docferry_domain::upload::Checkpoint;
use jiff::Timestamp;

use crate::Fault;

use super::DynamoTransferStore;
use super::artifacts;
use super::conditional_update::{ConditionalUpdate, number};
use super::guards::{by_epoch, by_execution, contention_error, held, live, not_ending, open};
use super::items::{
    Item, attribute, read_session, read_transfer, session_item, session_key, transfer_key,
};
use super::table::{ConditionResult, Table};

impl UploadStore for DynamoTransferStore {
    /// Takes over the upload with a new epoch. If the response is lost, the SDK repeats the write,
    /// which skips an epoch. That is harmless: no invocation holds the skipped one.
    async fn claim(&self, id: &TransferId, execution_number: u32) -> Result<Transfer, WriteError> {
        let claimed = not_ending(by_execution(execution_number)).increment("epoch");
        match self.table.update(transfer_key(id), claimed).await {
            Ok(item) => Ok(read_transfer(item)?),
            Err(failure) => {
                open(live(failure.current_item()?, execution_number)?)?;
                Err(contention_error("claim").into())
            }
        }
    }

    /// Reads the session of a transfer.
    async fn session(&self, id: &TransferId) -> Result<Option<SessionRecord>, StoreError> {
        self.table.get(session_key(id)).await?.as_ref().map(read_session).transpose()
    }

    /// Stores the sealed session. This needs a transaction, because the epoch is in another item:
    /// after a separate check, a newer invocation could claim the upload, and this one would
    /// overwrite its session.
    async fn put_session(
        &self,
        id: &TransferId,
        epoch: u64,
        session: &SealedSession,
    ) -> Result<(), WriteError> {
        let actions = [
            self.table.check_action(transfer_key(id), not_ending(by_epoch(epoch)))?,
            self.table.put_action(session_item(id, epoch, session)?)?,
        ];
        let Err(failure) = self.table.transact(&actions).await else {
            return Ok(());
        };
        if let Some(ConditionResult::Failed(current)) = failure.current_item()?.into_iter().next() {
            open(held(current, epoch)?)?;
        }
        Err(contention_error("put_session").into())
    }

    /// Deletes the session that was stored at `epoch`.
    async fn delete_session_record(&self, id: &TransferId, epoch: u64) -> Result<(), StoreError> {
        let stored_at = ConditionalUpdate::default()
            .when("#epoch = :storedAt")
            .value("storedAt", number(epoch));
        match self.table.delete(session_key(id), stored_at).await {
            Ok(()) => Ok(()),
            // Already deleted, or replaced by a newer session, which must stay.
            Err(failure) => failure.current_item(),
        }
    }

    /// Records that the source object was written again under another ETag.
    async fn replace_object(
        &self,
        id: &TransferId,
        epoch: u64,
        object: &ArrivedObject,
    ) -> Result<(), WriteError> {
        let table = &self.table;
        let replaced = by_epoch(epoch).set("object", attribute(object)?);
        write(table, id, epoch, replaced, "replace_object").await.map(std::mem::drop)
    }

    /// Writes a checkpoint, with one UpdateItem in almost all cases.
    ///
    /// The same write sets `bytesDone`, on condition that it does not decrease. The condition fails
    /// if the upload had to start a new session and is behind the progress that was already shown.
    /// Then a second write stores the checkpoint alone. This is safe: the second write is
    /// conditional on the epoch too, and no writer decreases `bytesDone`.
    async fn checkpoint(
        &self,
        id: &TransferId,
        epoch: u64,
        checkpoint: &Checkpoint,
    ) -> Result<CheckpointAck, WriteError> {
        let table = &self.table;
        let durable = attribute(checkpoint)?;
        let ahead = by_epoch(epoch)
            .set("checkpoint", durable.clone())
            .set("bytesDone", number(checkpoint.offset))
            .when("attribute_not_exists(#bytesDone) OR #bytesDone <= :bytesDone");
        let failure = match table.update(transfer_key(id), ahead).await {
            Ok(item) => return Ok(acknowledged(&item)),
            Err(failure) => failure,
        };
        held(failure.current_item()?, epoch)?;
        let behind = by_epoch(epoch).set("checkpoint", durable);
        let item = write(table, id, epoch, behind, "checkpoint").await?;
        Ok(acknowledged(&item))
    }

    /// Records the end of a pause that the drive has requested.
    async fn pause_until(
        &self,
        id: &TransferId,
        epoch: u64,
        resume_at: Timestamp,
    ) -> Result<(), WriteError> {
        let table = &self.table;
        let paused = by_epoch(epoch).set("resumeAt", attribute(&resume_at)?);
        write(table, id, epoch, paused, "pause_until").await.map(std::mem::drop)
    }

    /// Records the delivery. A download also offers its artifact for reuse, in the same transaction.
    async fn record_delivery(
        &self,
        id: &TransferId,
        epoch: u64,
        delivery: &Delivery,
    ) -> Result<(), WriteError> {
        let table = &self.table;
        // The whole document has been delivered, even if no fragment was sent because the file was
        // found at the destination. `bytesDone` never exceeds the source's size, so this does not
        // decrease it.
        let delivered = by_epoch(epoch)
            .set("delivery", attribute(delivery)?)
            .set_from("bytesDone", "if_not_exists(#source.#size, #bytesDone)");
        if let Delivery::Download(artifact) = delivery
            && let Some([offered, newest]) = artifacts::offer_actions(table, &artifact.key).await?
        {
            let actions =
                [table.update_action(transfer_key(id), delivered.clone())?, offered, newest];
            let Err(failure) = table.transact(&actions).await else { return Ok(()) };
            let mut checks = failure.current_item()?.into_iter();
            if let Some(ConditionResult::Failed(current)) = checks.next() {
                held(current, epoch)?;
                return Err(contention_error("record_delivery").into());
            }
            let already_offered = |check| matches!(check, ConditionResult::Failed(Some(item)) if artifacts::is_delivered(&item));
            if !checks.next().is_some_and(already_offered) {
                let fault = Fault::new("record_delivery", "the artifact is being removed");
                return Err(StoreError::Unavailable(Box::new(fault)).into());
            }
            // Our own first attempt has already offered the artifact for reuse.
        }
        write(table, id, epoch, delivered, "record_delivery").await.map(std::mem::drop)
    }
}

/// Reads from the updated item whether the upload has to stop.
fn acknowledged(item: &Item) -> CheckpointAck {
    let canceled = item.get("cancelRequested") == Some(&AttributeValue::Bool(true));
    CheckpointAck { stop: canceled || item.contains_key("ending") }
}

/// Updates a transfer under the guard of its epoch. `call` names the operation in errors.
async fn write(
    table: &Table,
    id: &TransferId,
    epoch: u64,
    change: ConditionalUpdate,
    call: &'static str,
) -> Result<Item, WriteError> {
    match table.update(transfer_key(id), change).await {
        Ok(item) => Ok(item),
        Err(failure) => {
            held(failure.current_item()?, epoch)?;
            Err(contention_error(call).into())
        }
    }
}
