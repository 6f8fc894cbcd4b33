//! Slots of a pool and the queue for them.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `S#{pool}` | `SLOTS` | one attribute per slot holder, and `version`, raised by each grant |
//! | `Q#{pool}` | `{order}#{id}` | a queued transfer, and the person whose limit applies |
//!
//! The attribute `turn` of the transfer's own item holds the same state. Every change writes
//! both in one transaction.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use docferry_app::ports::{SlotStore, StoreError, WriteError};
use docferry_domain::{Person, Phase, Pool, Slots, Transfer, TransferId, Turn, Waiting};
use jiff::Timestamp;

use super::DynamoTransferStore;
use super::change::{Change, number, string};
use super::items::{
    DUE, SHARD, attribute, place, queue_item, queue_key, queue_partition, read_waiting, shard,
    slots_key, transfer_key,
};
use super::standing::{by_attempt, live, running};
use super::table::{Check, Refusal, Table};

/// Sort key after every entry of a queue: entries begin with digits, and `:` follows `9`.
const END_OF_QUEUE: &str = ":";

/// Name of the attribute that represents a slot holder.
fn holder_attribute(id: &TransferId) -> String {
    // Placeholders of a `Change` may contain only letters and digits.
    format!("h{}", id.as_str().replace('_', "x"))
}

/// Parses the name of a holder attribute; `None` for other attributes.
fn read_holder(name: &str) -> Option<TransferId> {
    name.strip_prefix('h')?.replace('x', "_").parse().ok()
}

/// Returns a transaction action that takes slots, on condition that no slot was granted since
/// they were read at `version`.
pub(super) fn taking(
    table: &Table,
    pool: Pool,
    version: u64,
    admitted: &[Waiting],
) -> Result<TransactWriteItem, StoreError> {
    let unchanged = if version == 0 {
        "attribute_not_exists(#version) OR #version = :read"
    } else {
        "#version = :read"
    };
    let taken = admitted.iter().fold(Change::default().increment("version"), |change, entry| {
        change.set(&holder_attribute(&entry.transfer_id), string(entry.person.as_str()))
    });
    table.updating(slots_key(pool), taken.when(unchanged).value("read", number(version)))
}

/// Removes a queue entry whose transfer is not queued any more. The removal is conditional,
/// because the transfer may have joined the queue again.
async fn remove_stale_entry(table: &Table, pool: Pool, entry: &Waiting) -> Result<(), StoreError> {
    let actions = [
        table.checking(transfer_key(&entry.transfer_id), not_in_state(Turn::Queued))?,
        table.deleting(queue_key(pool, entry))?,
    ];
    transact_if_allowed(table, &actions).await.map(drop)
}

/// Condition: the transfer does not exist, has ended, or has another slot state than `turn`.
fn not_in_state(turn: Turn) -> Change {
    Change::default()
        .when(
            "attribute_not_exists(pk) OR attribute_exists(#endedAt) \
             OR attribute_not_exists(#turn) OR #turn <> :turn",
        )
        .value("turn", string(turn.as_str()))
}

/// Executes a transaction; returns `false` if a condition did not hold.
async fn transact_if_allowed(
    table: &Table,
    actions: &[TransactWriteItem],
) -> Result<bool, StoreError> {
    match table.transact(actions).await {
        Ok(()) => Ok(true),
        Err(failure) => failure.stood().map(|_| false),
    }
}

/// Returns a transaction action that frees a slot. It does not change the version: a scheduler
/// that has read the slots before then grants too few slots, but never too many.
pub(super) fn freeing(
    table: &Table,
    pool: Pool,
    id: &TransferId,
) -> Result<TransactWriteItem, StoreError> {
    table.updating(slots_key(pool), Change::default().remove(&[&holder_attribute(id)]))
}

/// Returns a transaction action that frees the transfer's slot or queue entry, if it has one.
/// The transaction must also be conditional on the slot state of `read`, see [`as_read`].
pub(super) fn leaving(
    table: &Table,
    read: &Transfer,
) -> Result<Option<TransactWriteItem>, StoreError> {
    Ok(match read.turn {
        Turn::Idle => None,
        Turn::Queued => Some(table.deleting(queue_key(read.pool, &read.waiting()))?),
        Turn::Holding => Some(freeing(table, read.pool, &read.transfer_id)?),
    })
}

/// Guard: execution, phase and slot state of the transfer are unchanged since `read`.
pub(super) fn as_read(read: &Transfer) -> Change {
    let turn = match read.turn {
        // Items written by older versions have no slot state.
        Turn::Idle => "attribute_not_exists(#turn) OR #turn = :readTurn",
        Turn::Queued | Turn::Holding => "#turn = :readTurn",
    };
    let phase: Phase = read.phase;
    Change::default()
        .when("#attempt = :readAttempt AND #phase = :readPhase")
        .value("readAttempt", number(read.attempt))
        .value("readPhase", string(phase.as_str()))
        .when(turn)
        .value("readTurn", string(read.turn.as_str()))
}

impl SlotStore for DynamoTransferStore {
    async fn slots(&self, pool: Pool) -> Result<Slots, StoreError> {
        let table = &self.table;
        let mut slots = Slots::default();
        for (name, value) in table.get(slots_key(pool)).await?.unwrap_or_default() {
            match (read_holder(&name), value) {
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
        after: Option<&Waiting>,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        let table = &self.table;
        let from = after.map_or_else(|| "0".to_owned(), place);
        let found = table.range(queue_partition(pool), &from, false, END_OF_QUEUE, limit).await?;
        found.iter().map(read_waiting).collect()
    }

    async fn grant(
        &self,
        pool: Pool,
        version: u64,
        admitted: &[Waiting],
        now: Timestamp,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let table = &self.table;
        let mut actions = vec![taking(table, pool, version, admitted)?];
        for entry in admitted {
            let holding = running()
                .when("#turn = :queued")
                .value("queued", string(Turn::Queued.as_str()))
                .set("turn", string(Turn::Holding.as_str()))
                .set_once("admittedAt", attribute(&now)?)
                .set(DUE, number(due.as_millisecond()))
                .set(SHARD, string(shard(&entry.transfer_id)));
            actions.push(table.updating(transfer_key(&entry.transfer_id), holding)?);
            actions.push(table.deleting(queue_key(pool, entry))?);
        }
        let checks = match table.transact(&actions).await {
            Ok(()) => return Ok(true),
            Err(Refusal::Conflict(_)) => return Ok(false),
            Err(failure) => failure.stood()?,
        };
        // The first action changes the slots; then there are two for each queue entry.
        for (entry, check) in admitted.iter().zip(checks.iter().skip(1).step_by(2)) {
            if matches!(check, Check::Failed(_)) {
                remove_stale_entry(table, pool, entry).await?;
            }
        }
        Ok(false)
    }

    async fn enqueue(&self, transfer: &Transfer, due: Timestamp) -> Result<(), WriteError> {
        let table = &self.table;
        let id = &transfer.transfer_id;
        let queued = by_attempt(transfer.attempt)
            .when("attribute_not_exists(#turn) OR #turn <> :holding")
            .value("holding", string(Turn::Holding.as_str()))
            .set("turn", string(Turn::Queued.as_str()))
            .set(DUE, number(due.as_millisecond()))
            .set(SHARD, string(shard(id)));
        let actions =
            [table.updating(transfer_key(id), queued)?, table.putting(queue_item(transfer))?];
        let Err(failure) = table.transact(&actions).await else { return Ok(()) };
        match failure.stood()?.into_iter().next() {
            // If the transfer is active, the condition failed because it holds a slot already.
            Some(Check::Failed(current)) => live(current, transfer.attempt).map(drop),
            _ => Ok(()),
        }
    }

    async fn step_aside(&self, read: &Transfer) -> Result<(), StoreError> {
        let table = &self.table;
        let released = by_attempt(read.attempt)
            .when("#phase = :readPhase AND #epoch = :readEpoch AND #turn = :holding")
            .value("readPhase", string(read.phase.as_str()))
            .value("readEpoch", number(read.epoch))
            .value("holding", string(Turn::Holding.as_str()))
            .set("turn", string(Turn::Idle.as_str()));
        let actions = [
            table.updating(transfer_key(&read.transfer_id), released)?,
            freeing(table, read.pool, &read.transfer_id)?,
        ];
        transact_if_allowed(table, &actions).await.map(drop)
    }

    async fn reclaim(&self, pool: Pool, id: &TransferId) -> Result<bool, StoreError> {
        let table = &self.table;
        let holder = holder_attribute(id);
        let freed =
            Change::default().remove(&[&holder]).when(format!("attribute_exists(#{holder})"));
        let actions = [
            table.checking(transfer_key(id), not_in_state(Turn::Holding))?,
            table.updating(slots_key(pool), freed)?,
        ];
        transact_if_allowed(table, &actions).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holders_attribute_is_read_back_as_its_id() {
        let plain = TransferId::from_u128(0xabc);
        for id in [plain.clone(), plain.document(42)] {
            let name = holder_attribute(&id);
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
            assert_eq!(read_holder(&name), Some(id));
        }
        assert_eq!(read_holder("version"), None);
    }
}
