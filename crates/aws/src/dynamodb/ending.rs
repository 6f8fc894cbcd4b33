//! Ends of transfers.

use docferry_app::ports::WriteError;
use docferry_domain::job::WebhookNotification;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::{Failure, Outcome, OutcomeRecord, Transfer};
use jiff::Timestamp;

use super::conditional_update::string;
use super::guards::contention_error;
use super::items::{attribute, corrupt, read_transfer};
use super::keys::transfer_key;
use super::slots::unchanged_since;
use super::table::Table;
use super::write_failure::ConditionResult;
use super::{batches, notifications, outbox, slots};

/// Ends a transfer. One transaction writes the terminal phase, frees its slot or queue entry, puts
/// the outcome and the webhook notification into the outbox, and counts the document in its batch.
pub(super) async fn finish(
    table: &Table,
    read: &Transfer,
    outcome: Outcome,
    ended_at: Timestamp,
) -> Result<Transfer, WriteError> {
    let id = &read.transfer_id;
    if read.phase.is_terminal() {
        let stored = table.get(transfer_key(id)).await?.ok_or(WriteError::NotFound)?;
        return ensure_same_execution(read_transfer(stored)?, read.execution_number);
    }
    let failure = outcome.failure().map(|code| Failure { code });
    let ended = Transfer {
        phase: outcome.phase(),
        ended_at: Some(ended_at),
        slot_state: SlotState::Idle,
        failure: failure.clone(),
        ..read.clone()
    };
    let mut change = unchanged_since(read)
        .set("phase", string(ended.phase.as_str()))
        .set("endedAt", attribute(&ended_at)?)
        .set("turn", string(ended.slot_state.as_str()));
    if let Some(failure) = &failure {
        change = change.set("failure", attribute(failure)?);
    }
    if outcome != Outcome::Completed {
        // A delivery that was recorded after `read` was read takes precedence over a failure or
        // a cancellation.
        change = change.when("attribute_not_exists(#delivery)");
    }
    let record = OutcomeRecord::of(&ended).ok_or_else(|| corrupt("outcome"))?;
    let mut actions = vec![
        table.update_action(transfer_key(id), change)?,
        table.put_action(outbox::item(&record)?)?,
    ];
    actions.extend(slots::release_action(table, read)?);
    actions.extend(batches::count_ended_action(table, &ended)?);
    if let Some(notification) = WebhookNotification::of_transfer(&ended) {
        actions.push(notifications::put_action(table, &notification)?);
    }
    let Err(write_failure) = table.transact(&actions).await else { return Ok(ended) };
    match write_failure.current_item()?.into_iter().next() {
        // The transfer has changed since it was read, or it has ended. The first attempt of
        // this same write may have ended it.
        Some(ConditionResult::Failed(current)) => ensure_same_execution(
            read_transfer(current.ok_or(WriteError::NotFound)?)?,
            read.execution_number,
        ),
        _ => Err(contention_error("finish").into()),
    }
}

/// Returns the stored transfer if it has this execution.
///
/// # Errors
/// [`WriteError::Ended`] if it has another execution.
fn ensure_same_execution(stored: Transfer, execution_number: u32) -> Result<Transfer, WriteError> {
    if stored.execution_number == execution_number { Ok(stored) } else { Err(WriteError::Ended) }
}
