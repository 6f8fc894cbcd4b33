//! Slots of a pool, and the queue of the transfers that wait for a slot.
//!
//! A *slot* is the right of a transfer to move bytes. Each *pool* (one for OneDrive deliveries, one
//! for downloads) has a limited number of slots, and one person may use only some of them. A
//! scheduler grants free slots to queued transfers.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `S#{pool}` | `SLOTS` | one attribute for each transfer with a slot, and the `version` |
//! | `Q#{pool}` | `{order}#{id}` | a queued transfer, and the person whose limit applies to it |
//!
//! Each grant increments the `version`. A grant fails if another grant has changed the version
//! since the scheduler read the slots.
//!
//! The attribute `turn` of a transfer's item is its slot state. One transaction writes this item
//! and the item of the slots or of the queue, so they always agree.
//!
//! If DynamoDB rejects a write because a condition does not hold, `WriteFailure::current_item`
//! returns the current item. For a transaction, it returns the result of each action. For any other
//! failure, it returns an error.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use docferry_app::ports::{SlotStore, StoreError, WriteError};
use docferry_domain::ids::TransferId;
use docferry_domain::person::Person;
use docferry_domain::slots::{Pool, QueueEntry, SlotState, Slots};
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::DynamoTransferStore;
use super::conditional_update::{ConditionalUpdate, number, string};
use super::guards::{by_execution, ensure_active, while_active};
use super::items::{attribute, parse_queue_entry, queue_item};
use super::keys::{queue_key, queue_partition, queue_sort_key, slots_key, transfer_key};
use super::table::Table;
use super::unfinished_index::{DUE, SHARD, shard};
use super::write_failure::{ConditionResult, WriteFailure};

/// Sort key that is less than that of every queue entry.
const START_OF_QUEUE: &str = "0";
/// Sort key that is greater than that of every queue entry. Sort keys begin with a digit, and `:`
/// sorts after `9`.
const END_OF_QUEUE: &str = ":";

/// Name of the attribute that represents a slot holder.
fn holder_attribute(id: &TransferId) -> String {
    // Placeholders of a `ConditionalUpdate` may contain only letters and digits.
    format!("h{}", id.as_str().replace('_', "x"))
}

/// Parses the name of a holder attribute; `None` for other attributes.
fn parse_holder_attribute(name: &str) -> Option<TransferId> {
    name.strip_prefix('h')?.replace('x', "_").parse().ok()
}

/// Returns a transaction action that grants slots to the `admitted` queue entries. Its condition is
/// that the slots still have the `version` that the caller read.
pub(super) fn take_slots_action(
    table: &Table,
    pool: Pool,
    version: u64,
    admitted: &[QueueEntry],
) -> Result<TransactWriteItem, StoreError> {
    let has_same_version = if version == 0 {
        "attribute_not_exists(#version) OR #version = :read"
    } else {
        "#version = :read"
    };
    let mut change = ConditionalUpdate::default()
        .increment("version")
        .when(has_same_version)
        .value("read", number(version));
    for entry in admitted {
        change = change.set(&holder_attribute(&entry.transfer_id), string(entry.person.as_str()));
    }
    table.update_action(slots_key(pool), change)
}

/// Removes a queue entry whose transfer is no longer queued. Does nothing if the transfer has
/// joined the queue again in the meantime.
async fn remove_stale_entry(
    table: &Table,
    pool: Pool,
    entry: &QueueEntry,
) -> Result<(), StoreError> {
    let actions = [
        table.check_action(transfer_key(&entry.transfer_id), not_in_state(SlotState::Queued))?,
        table.delete_action(queue_key(pool, entry))?,
    ];
    transact_if_allowed(table, &actions).await.map(drop)
}

/// Returns the condition that the transfer does not exist, has ended, or is in another slot state
/// than `slot_state`.
fn not_in_state(slot_state: SlotState) -> ConditionalUpdate {
    ConditionalUpdate::default()
        .when(
            "attribute_not_exists(pk) OR attribute_exists(#endedAt) \
             OR attribute_not_exists(#turn) OR #turn <> :turn",
        )
        .value("turn", string(slot_state.as_str()))
}

/// Executes a transaction. Returns `false` if a condition did not hold and nothing was written.
async fn transact_if_allowed(
    table: &Table,
    actions: &[TransactWriteItem],
) -> Result<bool, StoreError> {
    match table.transact(actions).await {
        Ok(()) => Ok(true),
        Err(failure) => failure.current_item().map(|_| false),
    }
}

/// Returns a transaction action that frees a slot. The action does not change the version, so it
/// causes no conflict with a scheduler that has already read the slots. This scheduler does not
/// know the free slot, so it may grant too few slots, but never too many.
pub(super) fn free_slot_action(
    table: &Table,
    pool: Pool,
    id: &TransferId,
) -> Result<TransactWriteItem, StoreError> {
    table.update_action(
        slots_key(pool),
        ConditionalUpdate::default().remove(&[&holder_attribute(id)]),
    )
}

/// Returns a transaction action that removes the transfer's slot or queue entry; `None` if it has
/// neither. The action depends on the slot state of `read`, so the transaction must also have the
/// condition [`unchanged_since`].
pub(super) fn release_action(
    table: &Table,
    read: &Transfer,
) -> Result<Option<TransactWriteItem>, StoreError> {
    Ok(match read.slot_state {
        SlotState::Idle => None,
        SlotState::Queued => Some(table.delete_action(queue_key(read.pool, &read.queue_entry()))?),
        SlotState::Holding => Some(free_slot_action(table, read.pool, &read.transfer_id)?),
    })
}

/// Returns the condition that the execution, phase and slot state of the transfer are still those
/// of `read`.
pub(super) fn unchanged_since(read: &Transfer) -> ConditionalUpdate {
    let slot_state = match read.slot_state {
        // Items written by older versions have no slot state.
        SlotState::Idle => "attribute_not_exists(#turn) OR #turn = :readTurn",
        SlotState::Queued | SlotState::Holding => "#turn = :readTurn",
    };
    ConditionalUpdate::default()
        .when("#attempt = :readAttempt AND #phase = :readPhase")
        .value("readAttempt", number(read.execution_number))
        .value("readPhase", string(read.phase.as_str()))
        .when(slot_state)
        .value("readTurn", string(read.slot_state.as_str()))
}

impl SlotStore for DynamoTransferStore {
    async fn slots(&self, pool: Pool) -> Result<Slots, StoreError> {
        let table = &self.table;
        let mut slots = Slots::default();
        for (name, value) in table.get(slots_key(pool)).await?.unwrap_or_default() {
            match (parse_holder_attribute(&name), value) {
                (Some(id), AttributeValue::S(person)) => {
                    slots.holders.insert(id, Person::new(person));
                }
                (None, AttributeValue::N(digits)) if name == "version" => {
                    slots.version = digits.parse().unwrap_or_default();
                }
                _ => {}
            }
        }
        Ok(slots)
    }

    async fn queue(
        &self,
        pool: Pool,
        after: Option<&QueueEntry>,
        limit: usize,
    ) -> Result<Vec<QueueEntry>, StoreError> {
        let table = &self.table;
        let after_key = after.map_or_else(|| START_OF_QUEUE.to_owned(), queue_sort_key);
        let items =
            table.range_after(queue_partition(pool), &after_key, END_OF_QUEUE, limit).await?;
        items.iter().map(parse_queue_entry).collect()
    }

    async fn grant(
        &self,
        pool: Pool,
        version: u64,
        admitted: &[QueueEntry],
        now: Timestamp,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let table = &self.table;
        let mut actions = vec![take_slots_action(table, pool, version, admitted)?];
        for entry in admitted {
            let holding = while_active()
                .when("#turn = :queued")
                .value("queued", string(SlotState::Queued.as_str()))
                .set("turn", string(SlotState::Holding.as_str()))
                .set_once("admittedAt", attribute(&now)?)
                .set(DUE, number(due.as_millisecond()))
                .set(SHARD, string(shard(&entry.transfer_id)));
            actions.push(table.update_action(transfer_key(&entry.transfer_id), holding)?);
            actions.push(table.delete_action(queue_key(pool, entry))?);
        }
        let checks = match table.transact(&actions).await {
            Ok(()) => return Ok(true),
            Err(WriteFailure::Conflict(_)) => return Ok(false),
            Err(failure) => failure.current_item()?,
        };
        // The first action changes the slots. After it, there are two actions for each queue entry.
        // The first of these two fails if the transfer is no longer queued.
        for (entry, check) in admitted.iter().zip(checks.iter().skip(1).step_by(2)) {
            if matches!(check, ConditionResult::Failed(_)) {
                remove_stale_entry(table, pool, entry).await?;
            }
        }
        Ok(false)
    }

    async fn enqueue(&self, transfer: &Transfer, due: Timestamp) -> Result<(), WriteError> {
        let table = &self.table;
        let id = &transfer.transfer_id;
        let queued = by_execution(transfer.execution_number)
            .when("attribute_not_exists(#turn) OR #turn <> :holding")
            .value("holding", string(SlotState::Holding.as_str()))
            .set("turn", string(SlotState::Queued.as_str()))
            .set(DUE, number(due.as_millisecond()))
            .set(SHARD, string(shard(id)));
        let actions = [
            table.update_action(transfer_key(id), queued)?,
            table.put_action(queue_item(transfer))?,
        ];
        let Err(failure) = table.transact(&actions).await else { return Ok(()) };
        match failure.current_item()?.into_iter().next() {
            // An active transfer fails the condition only if it already holds a slot.
            Some(ConditionResult::Failed(current)) => {
                ensure_active(current, transfer.execution_number).map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn release_slot(&self, read: &Transfer) -> Result<(), StoreError> {
        let table = &self.table;
        let released = by_execution(read.execution_number)
            .when("#phase = :readPhase AND #epoch = :readEpoch AND #turn = :holding")
            .value("readPhase", string(read.phase.as_str()))
            .value("readEpoch", number(read.epoch))
            .value("holding", string(SlotState::Holding.as_str()))
            .set("turn", string(SlotState::Idle.as_str()));
        let actions = [
            table.update_action(transfer_key(&read.transfer_id), released)?,
            free_slot_action(table, read.pool, &read.transfer_id)?,
        ];
        transact_if_allowed(table, &actions).await.map(drop)
    }

    async fn reclaim(&self, pool: Pool, id: &TransferId) -> Result<bool, StoreError> {
        let table = &self.table;
        let holder = holder_attribute(id);
        let freed = ConditionalUpdate::default()
            .remove(&[&holder])
            .when(format!("attribute_exists(#{holder})"));
        let actions = [
            table.check_action(transfer_key(id), not_in_state(SlotState::Holding))?,
            table.update_action(slots_key(pool), freed)?,
        ];
        transact_if_allowed(table, &actions).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holder_attribute_parses_back_to_the_transfer_id() {
        let single = TransferId::from_u128(0xabc);
        let document_of_batch = single.document(42);
        for id in [single, document_of_batch] {
            let name = holder_attribute(&id);
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
            assert_eq!(parse_holder_attribute(&name), Some(id));
        }
        assert_eq!(parse_holder_attribute("version"), None);
    }
}
