//! Creation of transfers.

use docferry_app::ports::{CreateOptions, CreateResult, JobPosition, StoreError};
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::items::{corrupt, queue_item, read_transfer, transfer_item};
use super::keys::Item;
use super::table::Table;
use super::unfinished_index::{first_check, indexed, shard};
use super::write_failure::{ConditionResult, WriteFailure};
use super::{history_index, idempotency, slots};

/// Creates a transfer in one transaction with its slot or queue entry, and with the idempotency
/// record of its request.
pub(super) async fn create(
    table: &Table,
    transfer: &Transfer,
    options: CreateOptions<'_>,
) -> Result<CreateResult, StoreError> {
    // `options.slot` is the version of the pool's slots, from which this transfer takes one.
    let due = match options.slot {
        Some(_) => first_check(transfer.created_at),
        None => transfer.must_end_by(),
    };
    let mut actions = vec![table.insert_action(new_item(transfer, due)?)?];
    actions.push(match options.slot {
        Some(version) => {
            slots::take_slots_action(table, transfer.pool, version, &[transfer.queue_entry()])?
        }
        None => table.put_action(queue_item(transfer))?,
    });
    if let Some(request) = options.request {
        actions.push(idempotency::idempotency_action(table, request, transfer.created_at)?);
    }
    let checks = match table.transact(&actions).await {
        Ok(()) => return Ok(CreateResult::Done),
        // Other transfers are taking slots at the same time. The caller then queues this
        // transfer.
        Err(WriteFailure::Conflict(_)) if options.slot.is_some() => {
            return Ok(CreateResult::SlotsChanged);
        }
        Err(failure) => failure.current_item()?,
    };
    let mut checks = checks.into_iter();
    let (insert_check, slot_check, request_check) = (checks.next(), checks.next(), checks.next());
    if let Some(own_request) = options.request
        && let Some(existing) = idempotency::existing_request(request_check, own_request)?
    {
        return Ok(CreateResult::AlreadyExists(existing));
    }
    // An item with this id may exist. Either the first attempt of this same write has stored
    // it, or another request has used the same id, which is an error.
    let stored = match insert_check {
        Some(ConditionResult::Failed(current)) => current.map(read_transfer).transpose()?,
        _ if matches!(slot_check, Some(ConditionResult::Failed(_))) => {
            return Ok(CreateResult::SlotsChanged);
        }
        _ => None,
    };
    if stored.is_some_and(|stored| is_same_request(&stored, transfer)) {
        return Ok(CreateResult::Done);
    }
    Err(corrupt("transfer of another request under the same id"))
}

/// Builds the item of a new transfer, which the sweeper checks at `due`. A transfer that belongs to
/// no batch is a job of its own, so it is added to the history of its owner.
fn new_item(transfer: &Transfer, due: Timestamp) -> Result<Item, StoreError> {
    let id = &transfer.transfer_id;
    let item = indexed(transfer_item(transfer)?, shard(id), due);
    if id.batch_and_number().is_some() {
        return Ok(item);
    }
    let created_ms = transfer.created_at.as_millisecond();
    let position = JobPosition { created_ms, id: id.clone() };
    Ok(history_index::with_history_entry(item, &transfer.spec.owner, &position))
}

/// Returns whether both records are the transfer of the same request. Their progress may differ.
fn is_same_request(left: &Transfer, right: &Transfer) -> bool {
    left.spec.owner == right.spec.owner
        && left.object_guid == right.object_guid
        && left.target == right.target
        && left.created_at == right.created_at
}
