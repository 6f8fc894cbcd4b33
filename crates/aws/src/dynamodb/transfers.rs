use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{StoreError, WriteError};
use docferry_domain::{ArrivedObject, Failure, FailureCode, Outcome, Phase, Transfer, TransferId};
use jiff::Timestamp;

use super::change::string;
use super::items::{attribute, corrupt, read_transfer, transfer_item, transfer_key};
use super::standing::{by_attempt, by_attempt_in, live, not_ending, open, running, unsettled};
use super::table::Table;

pub(super) async fn create(table: &Table, transfer: &Transfer) -> Result<(), StoreError> {
    let Err(refusal) = table.insert(transfer_item(transfer)?).await else {
        return Ok(());
    };
    // Found already: our own first try, perhaps with work begun meanwhile, or (by
    // a fault of whoever makes the ids) somebody else's transfer.
    let stored = refusal.stood()?.map(read_transfer).transpose()?;
    if stored.is_some_and(|stored| is_same_request(&stored, transfer)) {
        return Ok(());
    }
    Err(corrupt("transfer of another request under the same id"))
}

fn is_same_request(a: &Transfer, b: &Transfer) -> bool {
    a.owner == b.owner
        && a.object_guid == b.object_guid
        && a.recipient == b.recipient
        && a.folder == b.folder
        && a.file_path == b.file_path
        && a.created_at == b.created_at
}

pub(super) async fn get(table: &Table, id: &TransferId) -> Result<Option<Transfer>, StoreError> {
    table.get(transfer_key(id)).await?.map(read_transfer).transpose()
}

pub(super) async fn begin_push(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    now: Timestamp,
) -> Result<Transfer, WriteError> {
    let begun = by_attempt_in(attempt, &[Phase::Accepted, Phase::Pushing])
        .set_once("startedAt", attribute(&now)?)
        .set("phase", string(Phase::Pushing.as_str()));
    let refusal = match table.update(transfer_key(id), begun).await {
        Ok(item) => return Ok(read_transfer(item)?),
        Err(refusal) => refusal,
    };
    let transfer = live(refusal.stood()?, attempt)?;
    if transfer.started_at.is_some() {
        return Ok(transfer);
    }
    // A later phase that nobody marked as begun: only the time is missing.
    let started = by_attempt(attempt).set_once("startedAt", attribute(&now)?);
    match table.update(transfer_key(id), started).await {
        Ok(item) => Ok(read_transfer(item)?),
        Err(refusal) => {
            live(refusal.stood()?, attempt)?;
            Err(unsettled("begin_push").into())
        }
    }
}

pub(super) async fn record_arrival(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    object: &ArrivedObject,
) -> Result<(), WriteError> {
    let waiting = [Phase::Accepted, Phase::Pushing, Phase::AwaitingArrival];
    let arrived = by_attempt_in(attempt, &waiting)
        .set("object", attribute(object)?)
        .set("phase", string(Phase::Uploading.as_str()));
    match table.update(transfer_key(id), arrived).await {
        Ok(_) => Ok(()),
        // Live and in none of those phases: the arrival is recorded already.
        Err(refusal) => live(refusal.stood()?, attempt).map(drop),
    }
}

/// A claim whose answer was lost is repeated by the SDK and burns an epoch; the
/// one that is returned is the newest, and nobody holds the other.
pub(super) async fn claim(
    table: &Table,
    id: &TransferId,
    attempt: u32,
) -> Result<Transfer, WriteError> {
    let claimed = not_ending(by_attempt(attempt)).increment("epoch");
    match table.update(transfer_key(id), claimed).await {
        Ok(item) => Ok(read_transfer(item)?),
        Err(refusal) => {
            open(live(refusal.stood()?, attempt)?)?;
            Err(unsettled("claim").into())
        }
    }
}

pub(super) async fn request_cancel(
    table: &Table,
    id: &TransferId,
    owner: &str,
) -> Result<bool, StoreError> {
    let wanted = running()
        .set("cancelRequested", AttributeValue::Bool(true))
        .when("#owner = :owner")
        .value("owner", string(owner));
    match table.update(transfer_key(id), wanted).await {
        Ok(_) => Ok(true),
        // Unknown, somebody else's, or ended: all the same to the caller.
        Err(refusal) => refusal.stood().map(|_| false),
    }
}

pub(super) async fn begin_ending(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    reason: FailureCode,
) -> Result<Transfer, WriteError> {
    let ending = by_attempt(attempt).set_once("ending", attribute(&reason)?);
    match table.update(transfer_key(id), ending).await {
        Ok(item) => Ok(read_transfer(item)?),
        Err(refusal) => {
            live(refusal.stood()?, attempt)?;
            Err(unsettled("begin_ending").into())
        }
    }
}

/// Repeated by the SDK after a lost answer, it finds its own next attempt: that
/// it is ours cannot be told, and whoever asks looks again anyway.
pub(super) async fn next_attempt(
    table: &Table,
    id: &TransferId,
    from: u32,
) -> Result<Transfer, WriteError> {
    let next = not_ending(by_attempt(from)).increment("attempt");
    match table.update(transfer_key(id), next).await {
        Ok(item) => Ok(read_transfer(item)?),
        Err(refusal) => {
            open(live(refusal.stood()?, from)?)?;
            Err(unsettled("next_attempt").into())
        }
    }
}

pub(super) async fn finish(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    outcome: Outcome,
    ended_at: Timestamp,
) -> Result<Transfer, WriteError> {
    let mut ended = by_attempt(attempt)
        .set("phase", string(outcome.phase().as_str()))
        .set("endedAt", attribute(&ended_at)?);
    if let Some(code) = outcome.failure() {
        ended = ended.set("failure", attribute(&Failure { code })?);
    }
    if outcome != Outcome::Completed {
        // A delivery that was recorded after the caller had read the record wins.
        ended = ended.when("attribute_not_exists(#delivery)");
    }
    let refusal = match table.update(transfer_key(id), ended).await {
        Ok(item) => return Ok(read_transfer(item)?),
        Err(refusal) => refusal,
    };
    let transfer = read_transfer(refusal.stood()?.ok_or(WriteError::NotFound)?)?;
    if transfer.attempt != attempt {
        return Err(WriteError::Ended);
    }
    // Ended already, perhaps by our own first try, or delivered meanwhile.
    Ok(transfer)
}
