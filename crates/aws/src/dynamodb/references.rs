//! Who refers to which exchange key, so that the last one deletes the object.
//!
//! An item holds `refs` (the transfers that refer to the key) and, while the last
//! of them deletes the object, `releasingBy` and `releasingUntil`; afterwards
//! `releasedAt`. Times are milliseconds since 1970.

use docferry_app::ports::{Release, StoreError, WriteError};
use docferry_domain::{Phase, PushedSource, TransferId};
use jiff::{SignedDuration, Timestamp};

use super::change::{Change, number, string};
use super::items::{Item, attribute, references_key, transfer_key, ttl};
use super::standing::{by_attempt_in, live, unsettled};
use super::table::{Check, Table};

/// How long an item rests that nobody refers to: far longer than a push may lag.
const REST: SignedDuration = SignedDuration::from_hours(24);

/// Rounds after which a caller gives up on an item that others keep changing.
const ROUNDS: usize = 8;

fn rested(since: Timestamp) -> Timestamp {
    since.saturating_add(REST).unwrap_or(since)
}

pub(super) async fn record_push(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    source: &PushedSource,
) -> Result<bool, WriteError> {
    // The key of an earlier push of this attempt, when the source now gave another.
    let mut former: Option<String> = None;
    for _ in 0..ROUNDS {
        let mut actions = vec![
            table.updating(transfer_key(id), pushed(attempt, source, former.as_deref())?)?,
            table.updating(references_key(&source.key), referred(id, source))?,
        ];
        if let Some(former) = &former {
            let left = Change::default().leave("refs", id.as_str());
            actions.push(table.updating(references_key(former), left)?);
        }
        let Err(refusal) = table.transact(&actions).await else {
            if let Some(former) = &former {
                forget_if_unused(table, former, source.pushed_at).await;
            }
            return Ok(true);
        };
        let mut checks = refusal.stood()?.into_iter();
        match checks.next() {
            Some(Check::Failed(stood)) => {
                let transfer = live(stood, attempt)?;
                if transfer.phase >= Phase::Uploading {
                    return Ok(true);
                }
                former = transfer.source.map(|s| s.key).filter(|key| *key != source.key);
            }
            _ if matches!(checks.next(), Some(Check::Failed(_))) => return Ok(false),
            _ => break,
        }
    }
    Err(unsettled("record_push").into())
}

/// The transfer's half. It is tied to the key that the record holds, so that no
/// reference stays behind on a key that nothing names any more: nobody would
/// release it, and its object would never be deleted.
fn pushed(attempt: u32, source: &PushedSource, former: Option<&str>) -> Result<Change, StoreError> {
    let before = [Phase::Accepted, Phase::Pushing, Phase::AwaitingArrival];
    let change = by_attempt_in(attempt, &before)
        .set("source", attribute(source)?)
        .set("phase", string(Phase::AwaitingArrival.as_str()));
    Ok(match former {
        None => change
            .when("attribute_not_exists(#source) OR #source.#key = :key")
            .value("key", string(&source.key)),
        Some(former) => change.when("#source.#key = :former").value("former", string(former)),
    })
}

/// The key's half: nobody is deleting the object, nor has deleted it at a time
/// that may be after our push; both times are the exchange store's. A deletion whose bound has passed is taken over.
fn referred(id: &TransferId, source: &PushedSource) -> Change {
    let pushed_at = source.pushed_at.as_millisecond();
    let requested_at = source.requested_at.as_millisecond();
    Change::default()
        .join("refs", id.as_str())
        .remove(&["releasingBy", "releasingUntil", "expiresAt"])
        .when("attribute_not_exists(#releasingBy) OR #releasingUntil <= :pushedAt")
        .value("pushedAt", number(pushed_at))
        .when("attribute_not_exists(#releasedAt) OR #releasedAt < :requestedAt")
        .value("requestedAt", number(requested_at))
}

/// Best effort: what fails here leaves an empty item, nothing more.
async fn forget_if_unused(table: &Table, key: &str, now: Timestamp) {
    let unused =
        Change::default().set("expiresAt", ttl(rested(now))).when("attribute_not_exists(#refs)");
    let _ = table.update(references_key(key), unused).await;
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
        // push comes between. It says so again when it is repeated.
        let last = Change::default()
            .leave("refs", id.as_str())
            .set("releasingBy", string(id.as_str()))
            .set("releasingUntil", number(until.as_millisecond()))
            // For the case that it dies before `mark_released`.
            .set("expiresAt", ttl(rested(until.max(now))))
            .when(
                "(contains(#refs, :id) AND size(#refs) = :one) \
                 OR (#releasingBy = :id AND attribute_not_exists(#refs))",
            )
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
        if refers.is_none_or(|refs| !refs.iter().any(|member| member == id.as_str())) {
            return Ok(Release::StillReferenced);
        }
        // The others left between the two writes: now it is the last one.
    }
    Err(unsettled("release_key"))
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
        .when(
            "attribute_not_exists(#releasingBy) OR #releasingBy = :releasingBy \
             OR #releasingUntil <= :now",
        )
        .value("now", number(now.as_millisecond()));
    match table.update(references_key(key), taken).await {
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
