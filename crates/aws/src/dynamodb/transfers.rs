//! Writes and reads of transfers, from creation to the terminal phase.

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{Entered, Entry, JobPlace, StoreError, WriteError};
use docferry_domain::{
    ArrivedObject, Artifact, Delivery, Failure, FailureCode, Notice, Outcome, OutcomeRecord, Phase,
    PushedSource, Step, Transfer, TransferId, TransientError, Turn,
};
use jiff::Timestamp;

use super::change::{number, string};
use super::items::{
    DUE, attribute, corrupt, first_look, indexed, queue_item, read_transfer, shard, transfer_item,
    transfer_key,
};
use super::slots::as_read;
use super::standing::{by_attempt, by_attempt_in, live, not_ending, open, running, unsettled};
use super::table::{Check, Refusal, Table};
use super::{bundles, jobs, notices, outbox, slots};

/// Creates a transfer in one transaction with its slot or queue entry, and with the idempotency
/// record of its request.
pub(super) async fn enter(
    table: &Table,
    transfer: &Transfer,
    entry: Entry<'_>,
) -> Result<Entered, StoreError> {
    let id = &transfer.transfer_id;
    let due = match entry.slot {
        Some(_) => first_look(transfer.created_at),
        None => transfer.must_end_by(),
    };
    let item = indexed(transfer_item(transfer)?, shard(id), due);
    let item = match id.in_bundle() {
        None => {
            let created_ms = transfer.created_at.as_millisecond();
            jobs::listed(item, &transfer.owner, &JobPlace { created_ms, id: id.clone() })
        }
        Some(_) => item,
    };
    let mut actions = vec![table.inserting(item)?];
    actions.push(match entry.slot {
        Some(version) => slots::taking(table, transfer.pool, version, &[transfer.waiting()])?,
        None => table.putting(queue_item(transfer))?,
    });
    if let Some(request) = entry.request {
        actions.push(jobs::remembering(table, request, transfer.created_at)?);
    }
    let checks = match table.transact(&actions).await {
        Ok(()) => return Ok(Entered::Done),
        // Other transfers are taking slots at the same time: the caller then queues this one.
        Err(Refusal::Conflict(_)) if entry.slot.is_some() => return Ok(Entered::SlotsChanged),
        Err(failure) => failure.stood()?,
    };
    let mut checks = checks.into_iter();
    let (inserted, slot, request) = (checks.next(), checks.next(), checks.next());
    if let Some(named) = entry.request
        && let Some(existing) = jobs::remembered(request, named)?
    {
        return Ok(Entered::Before(existing));
    }
    // An item with this id exists. It was written by our own first attempt and may have
    // progressed since, or it is another transfer, which means that an id was used twice.
    let stored = match inserted {
        Some(Check::Failed(current)) => current.map(read_transfer).transpose()?,
        _ if matches!(slot, Some(Check::Failed(_))) => return Ok(Entered::SlotsChanged),
        _ => None,
    };
    if stored.is_some_and(|stored| is_same_request(&stored, transfer)) {
        return Ok(Entered::Done);
    }
    Err(corrupt("transfer of another request under the same id"))
}

/// Returns whether both are the transfer of the same request, whatever its progress.
fn is_same_request(a: &Transfer, b: &Transfer) -> bool {
    a.owner == b.owner
        && a.object_guid == b.object_guid
        && a.target == b.target
        && a.created_at == b.created_at
}

/// Reads a transfer.
pub(super) async fn get(table: &Table, id: &TransferId) -> Result<Option<Transfer>, StoreError> {
    table.get(transfer_key(id)).await?.map(read_transfer).transpose()
}

/// Moves an accepted transfer to `Pushing`, sets its start time and counts the push.
pub(super) async fn begin_push(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    now: Timestamp,
) -> Result<Transfer, WriteError> {
    let begun = by_attempt_in(attempt, &[Phase::Accepted, Phase::Pushing])
        .set_once("startedAt", attribute(&now)?)
        .set("phase", string(Phase::Pushing.as_str()))
        .increment("pushes");
    let failure = match table.update(transfer_key(id), begun).await {
        Ok(item) => return Ok(read_transfer(item)?),
        Err(failure) => failure,
    };
    let transfer = live(failure.stood()?, attempt)?;
    if transfer.push_again {
        let another_push = by_attempt(attempt).increment("pushes");
        return match table.update(transfer_key(id), another_push).await {
            Ok(item) => Ok(read_transfer(item)?),
            Err(failure) => Ok(live(failure.stood()?, attempt)?),
        };
    }
    if transfer.started_at.is_some() {
        return Ok(transfer);
    }
    // The transfer is in a later phase, but its start time was never recorded.
    let started = by_attempt(attempt).set_once("startedAt", attribute(&now)?);
    match table.update(transfer_key(id), started).await {
        Ok(item) => Ok(read_transfer(item)?),
        Err(failure) => {
            live(failure.stood()?, attempt)?;
            Err(unsettled("begin_push").into())
        }
    }
}

/// Records the arrived object and moves the transfer to `Uploading`.
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
    let failure = match table.update(transfer_key(id), arrived).await {
        Ok(_) => return Ok(()),
        Err(failure) => failure,
    };
    // The transfer is active but in a later phase: its arrival is already recorded, unless the
    // upload has lost its source object.
    if !live(failure.stood()?, attempt)?.needs_source() {
        return Ok(());
    }
    let found = by_attempt_in(attempt, &[Phase::Uploading])
        .set("object", attribute(object)?)
        .when("attribute_not_exists(#object)")
        .when("attribute_not_exists(#pushAgain)");
    match table.update(transfer_key(id), found).await {
        Ok(_) => Ok(()),
        Err(failure) => live(failure.stood()?, attempt).map(drop),
    }
}

/// Records the delivery of an existing artifact. The push that was counted is not made, so its
/// count is taken back.
pub(super) async fn record_reuse(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    source: &PushedSource,
    artifact: &Artifact,
) -> Result<(), WriteError> {
    let delivery = Delivery::from(artifact.clone());
    let reused = by_attempt_in(attempt, &[Phase::Accepted, Phase::Pushing])
        .set("source", attribute(source)?)
        .set("delivery", attribute(&delivery)?)
        .set("bytesDone", number(source.size))
        .set("phase", string(Phase::Uploading.as_str()))
        .set_from("pushes", "#pushes - :one")
        .value("one", number(1));
    match table.update(transfer_key(id), reused).await {
        Ok(_) => Ok(()),
        // The transfer is active but in a later phase: the reuse is already recorded.
        Err(failure) => live(failure.stood()?, attempt).map(drop),
    }
}

/// Takes over the upload with a new epoch. If the response is lost, the SDK repeats the write,
/// which skips an epoch. That is harmless: no invocation holds the skipped one.
pub(super) async fn claim(
    table: &Table,
    id: &TransferId,
    attempt: u32,
) -> Result<Transfer, WriteError> {
    let claimed = not_ending(by_attempt(attempt)).increment("epoch");
    match table.update(transfer_key(id), claimed).await {
        Ok(item) => Ok(read_transfer(item)?),
        Err(failure) => {
            open(live(failure.stood()?, attempt)?)?;
            Err(unsettled("claim").into())
        }
    }
}

/// Counts a failed try of a step and stores its error.
pub(super) async fn record_failed_try(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    step: Step,
    error: &TransientError,
) -> Result<(), WriteError> {
    let failed = by_attempt(attempt)
        .increment(step.attribute())
        .set("lastTransientError", attribute(error)?);
    match table.update(transfer_key(id), failed).await {
        Ok(_) => Ok(()),
        Err(failure) => live(failure.stood()?, attempt).map(drop),
    }
}

/// Sets the cancel flag of a transfer. Returns `None` if it cannot be canceled by this owner.
pub(super) async fn request_cancel(
    table: &Table,
    id: &TransferId,
    owner: &str,
    last_run: u32,
) -> Result<Option<Transfer>, StoreError> {
    let canceled = running()
        .set("cancelRequested", AttributeValue::Bool(true))
        // Due at once: a queued transfer has no running step that would notice the request.
        .set(DUE, number(0))
        .when("#owner = :owner")
        .value("owner", string(owner))
        .when("attribute_not_exists(#retries) OR #retries <= :lastRun")
        .value("lastRun", number(last_run));
    match table.update(transfer_key(id), canceled).await {
        Ok(item) => read_transfer(item).map(Some),
        // The transfer is unknown, has another owner, has ended or is in a later run. The caller
        // does not need to tell these apart.
        Err(failure) => failure.stood().map(|_| None),
    }
}

/// Records why the transfer is about to end, unless an earlier ending did.
pub(super) async fn begin_ending(
    table: &Table,
    id: &TransferId,
    attempt: u32,
    reason: FailureCode,
) -> Result<Transfer, WriteError> {
    let ending = by_attempt(attempt).set_once("ending", attribute(&reason)?);
    match table.update(transfer_key(id), ending).await {
        Ok(item) => Ok(read_transfer(item)?),
        Err(failure) => {
            live(failure.stood()?, attempt)?;
            Err(unsettled("begin_ending").into())
        }
    }
}

/// Increments the execution number. If the response is lost, the SDK's repeated write finds the
/// number already incremented and fails, because it cannot recognize its own first attempt. The
/// caller checks the transfer again anyway.
pub(super) async fn next_attempt(
    table: &Table,
    id: &TransferId,
    from: u32,
) -> Result<Transfer, WriteError> {
    let next = not_ending(by_attempt(from)).increment("attempt");
    match table.update(transfer_key(id), next).await {
        Ok(item) => Ok(read_transfer(item)?),
        Err(failure) => {
            open(live(failure.stood()?, from)?)?;
            Err(unsettled("next_attempt").into())
        }
    }
}

/// Ends a transfer. One transaction writes the terminal phase, frees its slot or queue entry,
/// puts the outcome and the webhook notification into the outbox, and counts the document in
/// its batch.
pub(super) async fn finish(
    table: &Table,
    read: &Transfer,
    outcome: Outcome,
    ended_at: Timestamp,
) -> Result<Transfer, WriteError> {
    let id = &read.transfer_id;
    if read.phase.is_terminal() {
        let stored = get(table, id).await?.ok_or(WriteError::NotFound)?;
        return same_attempt(stored, read.attempt);
    }
    let failure = outcome.failure().map(|code| Failure { code });
    let ended = Transfer {
        phase: outcome.phase(),
        ended_at: Some(ended_at),
        turn: Turn::Idle,
        failure: failure.clone(),
        ..read.clone()
    };
    let mut change = as_read(read)
        .set("phase", string(ended.phase.as_str()))
        .set("endedAt", attribute(&ended_at)?)
        .set("turn", string(ended.turn.as_str()));
    if let Some(failure) = &failure {
        change = change.set("failure", attribute(failure)?);
    }
    if outcome != Outcome::Completed {
        // A delivery recorded since `read` was read takes precedence over failure and cancel.
        change = change.when("attribute_not_exists(#delivery)");
    }
    let record = OutcomeRecord::of(&ended).ok_or_else(|| corrupt("outcome"))?;
    let mut actions =
        vec![table.updating(transfer_key(id), change)?, table.putting(outbox::item(&record)?)?];
    actions.extend(slots::leaving(table, read)?);
    actions.extend(bundles::counting(table, &ended)?);
    if let Some(notice) = Notice::of_transfer(&ended) {
        actions.push(notices::putting(table, &notice)?);
    }
    let Err(write_failure) = table.transact(&actions).await else { return Ok(ended) };
    match write_failure.stood()?.into_iter().next() {
        // The transfer has changed since `read`, or has ended, possibly by our own first attempt.
        Some(Check::Failed(current)) => {
            same_attempt(read_transfer(current.ok_or(WriteError::NotFound)?)?, read.attempt)
        }
        _ => Err(unsettled("finish").into()),
    }
}

/// Returns the record, or [`WriteError::Ended`] if it has another execution.
fn same_attempt(stored: Transfer, attempt: u32) -> Result<Transfer, WriteError> {
    if stored.attempt == attempt { Ok(stored) } else { Err(WriteError::Ended) }
}
