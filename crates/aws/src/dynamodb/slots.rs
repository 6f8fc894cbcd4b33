//! Who holds the slots of a pool, and who waits for one.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `S#{pool}` | `SLOTS` | an attribute a holder, and `version`, which grows with each grant |
//! | `Q#{pool}` | `{order}#{id}` | one who waits, and for whom it counts |
//!
//! A transfer's own item says the same by `turn`, and every change writes both in
//! one transaction.

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

/// Behind every place in a queue: these begin with digits.
const END_OF_QUEUE: &str = ":";

/// The attribute of a holder.
fn holder(id: &TransferId) -> String {
    // Only letters and digits, as the names in our expressions want it.
    format!("h{}", id.as_str().replace('_', "x"))
}

fn read_holder(name: &str) -> Option<TransferId> {
    name.strip_prefix('h')?.replace('x', "_").parse().ok()
}

/// Taking slots, as an action of a transaction: only if nothing was granted since they
/// were read at `version`.
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
    let taken = admitted.iter().fold(Change::default().increment("version"), |change, one| {
        change.set(&holder(&one.transfer_id), string(one.person.as_str()))
    });
    table.updating(slots_key(pool), taken.when(unchanged).value("read", number(version)))
}

/// Takes one off the queue that does not wait any more. Conditional on that: it may
/// have joined again.
async fn forget(table: &Table, pool: Pool, one: &Waiting) -> Result<(), StoreError> {
    let actions = [
        table.checking(transfer_key(&one.transfer_id), not_in(Turn::Queued))?,
        table.deleting(queue_key(pool, one))?,
    ];
    settled(table, &actions).await.map(drop)
}

/// A condition on a transfer that is gone, has ended, or has another turn.
fn not_in(turn: Turn) -> Change {
    Change::default()
        .when(
            "attribute_not_exists(pk) OR attribute_exists(#endedAt) \
             OR attribute_not_exists(#turn) OR #turn <> :turn",
        )
        .value("turn", string(turn.as_str()))
}

/// Whether the transaction's conditions held.
async fn settled(table: &Table, actions: &[TransactWriteItem]) -> Result<bool, StoreError> {
    match table.transact(actions).await {
        Ok(()) => Ok(true),
        Err(refusal) => refusal.stood().map(|_| false),
    }
}

/// Freeing a slot, as an action of a transaction. The version stays: whoever chooses
/// meanwhile chooses from too few slots and not from too many.
pub(super) fn freeing(
    table: &Table,
    pool: Pool,
    id: &TransferId,
) -> Result<TransactWriteItem, StoreError> {
    table.updating(slots_key(pool), Change::default().remove(&[&holder(id)]))
}

/// Freeing what a transfer has of slot or queue, as an action of the transaction
/// that is conditional on its turn.
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

/// The phases as a transfer was read in one of them.
pub(super) fn as_read(read: &Transfer) -> Change {
    let turn = match read.turn {
        // Written by a version that knew no turns.
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
        for one in admitted {
            let holding = running()
                .when("#turn = :queued")
                .value("queued", string(Turn::Queued.as_str()))
                .set("turn", string(Turn::Holding.as_str()))
                .set_once("admittedAt", attribute(&now)?)
                .set(DUE, number(due.as_millisecond()))
                .set(SHARD, string(shard(&one.transfer_id)));
            actions.push(table.updating(transfer_key(&one.transfer_id), holding)?);
            actions.push(table.deleting(queue_key(pool, one))?);
        }
        let checks = match table.transact(&actions).await {
            Ok(()) => return Ok(true),
            Err(Refusal::Conflict(_)) => return Ok(false),
            Err(refusal) => refusal.stood()?,
        };
        // The slots' own action is the first; then two for each of those who wait.
        for (one, check) in admitted.iter().zip(checks.iter().skip(1).step_by(2)) {
            if matches!(check, Check::Failed(_)) {
                forget(table, pool, one).await?;
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
        let Err(refusal) = table.transact(&actions).await else { return Ok(()) };
        match refusal.stood()?.into_iter().next() {
            // Live and refused: it holds a slot.
            Some(Check::Failed(stood)) => live(stood, transfer.attempt).map(drop),
            _ => Ok(()),
        }
    }

    async fn step_aside(&self, read: &Transfer) -> Result<(), StoreError> {
        let table = &self.table;
        let aside = by_attempt(read.attempt)
            .when("#phase = :readPhase AND #epoch = :readEpoch AND #turn = :holding")
            .value("readPhase", string(read.phase.as_str()))
            .value("readEpoch", number(read.epoch))
            .value("holding", string(Turn::Holding.as_str()))
            .set("turn", string(Turn::Idle.as_str()));
        let actions = [
            table.updating(transfer_key(&read.transfer_id), aside)?,
            freeing(table, read.pool, &read.transfer_id)?,
        ];
        settled(table, &actions).await.map(drop)
    }

    async fn reclaim(&self, pool: Pool, id: &TransferId) -> Result<bool, StoreError> {
        let table = &self.table;
        let holder = holder(id);
        let freed =
            Change::default().remove(&[&holder]).when(format!("attribute_exists(#{holder})"));
        let actions = [
            table.checking(transfer_key(id), not_in(Turn::Holding))?,
            table.updating(slots_key(pool), freed)?,
        ];
        settled(table, &actions).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holders_attribute_is_read_back_as_its_id() {
        let plain = TransferId::from_u128(0xabc);
        for id in [plain.clone(), plain.document(42)] {
            let name = holder(&id);
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
            assert_eq!(read_holder(&name), Some(id));
        }
        assert_eq!(read_holder("version"), None);
    }
}
