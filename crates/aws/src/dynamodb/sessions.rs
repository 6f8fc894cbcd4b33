use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{CheckpointAck, SealedSession, SessionRecord, StoreError, WriteError};
use docferry_domain::{ArrivedObject, Checkpoint, Delivery, TransferId};
use jiff::Timestamp;

use crate::Fault;

use super::artifacts;
use super::change::{Change, number};
use super::items::{Item, attribute, read_session, session_item, session_key, transfer_key};
use super::standing::{by_epoch, held, not_ending, open, unsettled};
use super::table::{Check, Table};

pub(super) async fn get(
    table: &Table,
    id: &TransferId,
) -> Result<Option<SessionRecord>, StoreError> {
    table.get(session_key(id)).await?.as_ref().map(read_session).transpose()
}

/// A transaction, because the epoch stands in another item: a claim that comes
/// between would let an older invocation overwrite the newer one's session.
pub(super) async fn put(
    table: &Table,
    id: &TransferId,
    epoch: u64,
    session: &SealedSession,
) -> Result<(), WriteError> {
    let actions = [
        table.checking(transfer_key(id), not_ending(by_epoch(epoch)))?,
        table.putting(session_item(id, epoch, session)?)?,
    ];
    let Err(refusal) = table.transact(&actions).await else {
        return Ok(());
    };
    if let Some(Check::Failed(stood)) = refusal.stood()?.into_iter().next() {
        open(held(stood, epoch)?)?;
    }
    Err(unsettled("put_session").into())
}

pub(super) async fn drop(table: &Table, id: &TransferId, epoch: u64) -> Result<(), StoreError> {
    let stored_at = Change::default().when("#epoch = :storedAt").value("storedAt", number(epoch));
    match table.delete(session_key(id), stored_at).await {
        Ok(()) => Ok(()),
        // Gone already, or a newer one, which stays.
        Err(refusal) => refusal.stood(),
    }
}

/// One UpdateItem in all but a rare case. `bytesDone` is written as well, under
/// the condition that it does not go down by it. When that condition is what
/// fails (the session had to begin again and its offset is behind what status has
/// shown), the checkpoint is written without it. Nothing is lost in between: the
/// second write is conditional on the epoch too, and nobody lowers `bytesDone`.
pub(super) async fn checkpoint(
    table: &Table,
    id: &TransferId,
    epoch: u64,
    checkpoint: &Checkpoint,
) -> Result<CheckpointAck, WriteError> {
    let durable = attribute(checkpoint)?;
    let ahead = by_epoch(epoch)
        .set("checkpoint", durable.clone())
        .set("bytesDone", number(checkpoint.offset))
        .when("attribute_not_exists(#bytesDone) OR #bytesDone <= :bytesDone");
    let refusal = match table.update(transfer_key(id), ahead).await {
        Ok(item) => return Ok(acknowledged(&item)),
        Err(refusal) => refusal,
    };
    held(refusal.stood()?, epoch)?;
    let behind = by_epoch(epoch).set("checkpoint", durable);
    let item = write(table, id, epoch, behind, "checkpoint").await?;
    Ok(acknowledged(&item))
}

fn acknowledged(item: &Item) -> CheckpointAck {
    let canceled = item.get("cancelRequested") == Some(&AttributeValue::Bool(true));
    CheckpointAck { stop: canceled || item.contains_key("ending") }
}

pub(super) async fn replace_object(
    table: &Table,
    id: &TransferId,
    epoch: u64,
    object: &ArrivedObject,
) -> Result<(), WriteError> {
    let replaced = by_epoch(epoch).set("object", attribute(object)?);
    write(table, id, epoch, replaced, "replace_object").await.map(std::mem::drop)
}

pub(super) async fn pause_until(
    table: &Table,
    id: &TransferId,
    epoch: u64,
    resume_at: Timestamp,
) -> Result<(), WriteError> {
    let paused = by_epoch(epoch).set("resumeAt", attribute(&resume_at)?);
    write(table, id, epoch, paused, "pause_until").await.map(std::mem::drop)
}

pub(super) async fn record_delivery(
    table: &Table,
    id: &TransferId,
    epoch: u64,
    delivery: &Delivery,
) -> Result<(), WriteError> {
    // All bytes are there, however they came (an item that was found is delivered
    // without a fragment). `bytesDone` is never more than the source's size, so
    // this does not lower it.
    let delivered = by_epoch(epoch)
        .set("delivery", attribute(delivery)?)
        .set_from("bytesDone", "if_not_exists(#source.#size, #bytesDone)");
    if let Delivery::Download(artifact) = delivery
        && let Some([offered, newest]) = artifacts::offering(table, &artifact.key).await?
    {
        let actions = [table.updating(transfer_key(id), delivered.clone())?, offered, newest];
        let Err(refusal) = table.transact(&actions).await else { return Ok(()) };
        let mut checks = refusal.stood()?.into_iter();
        if let Some(Check::Failed(stood)) = checks.next() {
            held(stood, epoch)?;
            return Err(unsettled("record_delivery").into());
        }
        let offered =
            |check| matches!(check, Check::Failed(Some(item)) if artifacts::is_delivered(&item));
        if !checks.next().is_some_and(offered) {
            let fault = Fault::new("record_delivery", "the artifact is being removed");
            return Err(StoreError::Unavailable(Box::new(fault)).into());
        }
        // Our own first try has offered it.
    }
    write(table, id, epoch, delivered, "record_delivery").await.map(std::mem::drop)
}

async fn write(
    table: &Table,
    id: &TransferId,
    epoch: u64,
    change: Change,
    call: &'static str,
) -> Result<Item, WriteError> {
    match table.update(transfer_key(id), change).await {
        Ok(item) => Ok(item),
        Err(refusal) => {
            held(refusal.stood()?, epoch)?;
            Err(unsettled(call).into())
        }
    }
}
