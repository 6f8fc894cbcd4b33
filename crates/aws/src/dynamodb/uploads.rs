//! Records of an upload in DynamoDB: its session, checkpoints, pauses and the delivery.
//!
//! An *upload* brings a document into a OneDrive or the delivery bucket, in one or more invocations
//! of a Lambda function. Each invocation increments the *epoch* of the transfer. Every write checks
//! the epoch, so that an older invocation cannot write any more.
//!
//! If DynamoDB rejects a write because a condition does not hold, `WriteFailure::current_item`
//! returns the current item. For a transaction, it returns the result of each action. For any other
//! failure, it returns an error.

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
use super::guards::{
    by_epoch, by_execution, contention_error, ensure_active, ensure_epoch, ensure_not_ending,
    not_ending,
};
use super::items::{attribute, read_session, read_transfer, session_item};
use super::keys::{Item, session_key, transfer_key};
use super::table::Table;
use super::write_failure::ConditionResult;

impl UploadStore for DynamoTransferStore {
    /// Takes over the upload with a new epoch.
    ///
    /// If the response is lost, the SDK repeats the write and increments the epoch twice. This is
    /// harmless, because no invocation has the skipped epoch.
    async fn claim(&self, id: &TransferId, execution_number: u32) -> Result<Transfer, WriteError> {
        let claimed = not_ending(by_execution(execution_number)).increment("epoch");
        match self.table.update(transfer_key(id), claimed).await {
            Ok(item) => Ok(read_transfer(item)?),
            Err(failure) => {
                ensure_not_ending(ensure_active(failure.current_item()?, execution_number)?)?;
                Err(contention_error("claim").into())
            }
        }
    }

    /// Reads the session of a transfer.
    async fn session(&self, id: &TransferId) -> Result<Option<SessionRecord>, StoreError> {
        self.table.get(session_key(id)).await?.as_ref().map(read_session).transpose()
    }

    /// Stores the sealed session.
    ///
    /// The epoch is in another item, so one transaction checks the epoch and writes the session.
    /// Between a separate check and the write, a newer invocation could store its session, which
    /// the write would then replace.
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
            ensure_not_ending(ensure_epoch(current, epoch)?)?;
        }
        Err(contention_error("put_session").into())
    }

    /// Deletes the session that was stored at `epoch`.
    async fn delete_session_record(&self, id: &TransferId, epoch: u64) -> Result<(), StoreError> {
        let if_same_epoch = ConditionalUpdate::default()
            .when("#epoch = :storedAt")
            .value("storedAt", number(epoch));
        match self.table.delete(session_key(id), if_same_epoch).await {
            Ok(()) => Ok(()),
            // The session is already deleted, or a newer session has replaced it and must stay.
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
        write_in_epoch(table, id, epoch, replaced, "replace_object").await.map(drop)
    }

    /// Writes a checkpoint, with one UpdateItem in almost all cases.
    ///
    /// 1. The first write also sets `bytesDone`, the progress shown to the owner. It fails if
    ///    `bytesDone` would decrease. This happens after the upload had to start a new session.
    /// 2. The second write stores only the checkpoint. It checks the epoch like the first write.
    async fn checkpoint(
        &self,
        id: &TransferId,
        epoch: u64,
        checkpoint: &Checkpoint,
    ) -> Result<CheckpointAck, WriteError> {
        let table = &self.table;
        let stored_checkpoint = attribute(checkpoint)?;
        let with_progress = by_epoch(epoch)
            .set("checkpoint", stored_checkpoint.clone())
            .set("bytesDone", number(checkpoint.offset))
            .when("attribute_not_exists(#bytesDone) OR #bytesDone <= :bytesDone");
        let failure = match table.update(transfer_key(id), with_progress).await {
            Ok(item) => return Ok(acknowledgement(&item)),
            Err(failure) => failure,
        };
        ensure_epoch(failure.current_item()?, epoch)?;
        let without_progress = by_epoch(epoch).set("checkpoint", stored_checkpoint);
        let item = write_in_epoch(table, id, epoch, without_progress, "checkpoint").await?;
        Ok(acknowledgement(&item))
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
        write_in_epoch(table, id, epoch, paused, "pause_until").await.map(drop)
    }

    /// Records the delivery. A download also offers its artifact for reuse, in the same
    /// transaction.
    async fn record_delivery(
        &self,
        id: &TransferId,
        epoch: u64,
        delivery: &Delivery,
    ) -> Result<(), WriteError> {
        let table = &self.table;
        // `bytesDone` becomes the size of the document, even if the file was found at the
        // destination and no fragment was sent. `bytesDone` is never greater than the size, so this
        // write does not decrease it.
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
                ensure_epoch(current, epoch)?;
                return Err(contention_error("record_delivery").into());
            }
            let already_offered = |check| matches!(check, ConditionResult::Failed(Some(item)) if artifacts::is_delivered(&item));
            if !checks.next().is_some_and(already_offered) {
                let fault = Fault::new("record_delivery", "the artifact is being removed");
                return Err(StoreError::Unavailable(Box::new(fault)).into());
            }
            // The first attempt of this same write has already offered the artifact for reuse.
        }
        write_in_epoch(table, id, epoch, delivered, "record_delivery").await.map(drop)
    }
}

/// Reads from the updated item whether the upload has to stop.
fn acknowledgement(item: &Item) -> CheckpointAck {
    let canceled = item.get("cancelRequested") == Some(&AttributeValue::Bool(true));
    CheckpointAck { stop: canceled || item.contains_key("ending") }
}

/// Writes a change that has the guard [`by_epoch`]. `call` names the operation in errors.
async fn write_in_epoch(
    table: &Table,
    id: &TransferId,
    epoch: u64,
    change: ConditionalUpdate,
    call: &'static str,
) -> Result<Item, WriteError> {
    match table.update(transfer_key(id), change).await {
        Ok(item) => Ok(item),
        Err(failure) => {
            ensure_epoch(failure.current_item()?, epoch)?;
            Err(contention_error(call).into())
        }
    }
}
