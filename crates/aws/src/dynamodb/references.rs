//! Releasing exchange keys: the last user of a key deletes its object.
//!
//! An item holds `refs` (the transfers that use the key), `guid` (their document), and,
//! while the last of them deletes the object, `releasingBy` and `releasingUntil`;
//! afterwards `releasedAt`. The lease of a deletion ends with `releasingUntil` at the latest. `outstanding` has the pushes that named the key, see
//! [`pushes`](super::pushes). Times are milliseconds since 1970.

use docferry_app::ports::{Release, StoreError};
use docferry_domain::TransferId;
use jiff::{SignedDuration, Timestamp};

use super::change::{Change, number, string};
use super::items::{Item, references_key, transfer_key, ttl};
use super::standing::unsettled;
use super::table::{Check, Table};

/// How long an item rests that nobody refers to: far longer than a push may lag.
const REST: SignedDuration = SignedDuration::from_hours(24);

/// Stands for the transfer in `releasingBy` when more than one of its processes deletes.
const SEVERAL: &str = "several";

/// Rounds after which a caller gives up on an item that others keep changing.
pub(super) const ROUNDS: usize = 8;

pub(super) fn rested(since: Timestamp) -> Timestamp {
    since.saturating_add(REST).unwrap_or(since)
}

pub(super) async fn release_key(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    key: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Release, StoreError> {
    for _ in 0..ROUNDS {
        // The last one out takes the deletion over in the same write, so that no
        // push comes between.
        let last = Change::default()
            .leave("refs", id.as_str())
            .remove(&["guid"])
            .set("releasingBy", string(id.as_str()))
            .set("releasingUntil", number(until.as_millisecond()))
            // For the case that it dies before `mark_released`.
            .set("expiresAt", ttl(rested(until.max(now))))
            .when("contains(#refs, :id) AND size(#refs) = :one")
            .value("id", string(id.as_str()))
            .value("one", number(1_u8));
        match leave_key(table, id, attempt, key, last).await? {
            Left::Done => return Ok(Release::Last),
            Left::Foreign => return Ok(Release::StillReferenced),
            Left::Refused(_) => {}
        }
        // Others refer to the key, or this transfer does not.
        let one_of_many = Change::default()
            .leave("refs", id.as_str())
            .when("contains(#refs, :id) AND size(#refs) > :one")
            .value("id", string(id.as_str()))
            .value("one", number(1_u8));
        let stood = match leave_key(table, id, attempt, key, one_of_many).await? {
            Left::Done | Left::Foreign => return Ok(Release::StillReferenced),
            Left::Refused(stood) => stood,
        };
        let refers = stood.as_ref().and_then(|item| item.get("refs")?.as_ss().ok());
        let by = stood.as_ref().and_then(|item| item.get("releasingBy")?.as_s().ok());
        if refers.is_none() && by.is_some_and(|by| by == id.as_str()) {
            match leave_key(table, id, attempt, key, shared_lease(id, now, until)).await? {
                Left::Done => return Ok(Release::Last),
                Left::Foreign => return Ok(Release::StillReferenced),
                Left::Refused(_) => continue,
            }
        }
        if refers.is_none_or(|refs| !refs.iter().any(|member| member == id.as_str())) {
            return Ok(Release::StillReferenced);
        }
        // The others left between the two writes: now it is the last one.
    }
    Err(unsettled("release_key"))
}

/// Takes the lease of a deletion that another process of the transfer may have taken.
/// Neither knows when the other has deleted, so [`mark_released`] of neither ends it.
fn shared_lease(id: &TransferId, now: Timestamp, until: Timestamp) -> Change {
    Change::default()
        .set("releasingBy", string(SEVERAL))
        .set("releasingUntil", number(until.as_millisecond()))
        .set("expiresAt", ttl(rested(until.max(now))))
        .when("#releasingBy = :id AND attribute_not_exists(#refs)")
        .value("id", string(id.as_str()))
}

/// What came of a wish to leave a key.
enum Left {
    Done,
    /// The transfer is in another attempt: the reference is that of a later run.
    Foreign,
    /// The key's conditions did not hold; with the item as it stood.
    Refused(Option<Item>),
}

async fn leave_key(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    key: &str,
    change: Change,
) -> Result<Left, StoreError> {
    let same_attempt = Change::default()
        .when("attribute_not_exists(pk) OR #attempt = :attempt")
        .value("attempt", number(attempt));
    let actions = [
        table.checking(transfer_key(id), same_attempt)?,
        table.updating(references_key(key), change)?,
    ];
    let Err(refusal) = table.transact(&actions).await else { return Ok(Left::Done) };
    let mut checks = refusal.stood()?.into_iter();
    Ok(match (checks.next(), checks.next()) {
        (Some(Check::Failed(_)), _) => Left::Foreign,
        (_, Some(Check::Failed(stood))) => Left::Refused(stood),
        _ => Left::Refused(None),
    })
}

pub(super) async fn take_unused(
    table: &Table,
    id: &TransferId,
    key: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let taken = Change::default()
        .set("releasingBy", string(id.as_str()))
        .set("releasingUntil", number(until.as_millisecond()))
        .set("expiresAt", ttl(rested(until.max(now))))
        .when("attribute_not_exists(#refs)")
        .when("attribute_not_exists(#releasingBy) OR #releasingUntil <= :now")
        .value("now", number(now.as_millisecond()));
    let Err(refusal) = table.update(references_key(key), taken).await else { return Ok(true) };
    refusal.stood()?;
    match table.update(references_key(key), shared_lease(id, now, until)).await {
        Ok(_) => Ok(true),
        Err(refusal) => refusal.stood().map(|_| false),
    }
}

pub(super) async fn mark_released(
    table: &Table,
    id: &TransferId,
    key: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let released = Change::default()
        .set("releasedAt", number(now.as_millisecond()))
        .set("expiresAt", ttl(rested(now)))
        .remove(&["releasingBy", "releasingUntil"])
        .when("#releasingBy = :id")
        .value("id", string(id.as_str()));
    match table.update(references_key(key), released).await {
        Ok(_) => Ok(()),
        // Marked already, or taken over after the bound had passed.
        Err(refusal) => refusal.stood().map(drop),
    }
}
