//! Retries of jobs, idempotency records, and the job history of each caller, in DynamoDB.
//!
//! A *job* is what a caller requests: a single transfer or a batch of documents. A retry is another
//! *run* of the job. An *idempotency record* stores which job a request has created, so that a
//! repeated request creates no second job.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `I#{hash}` | `REQUEST` | an idempotency record: the job that a request has created |
//!
//! The index `jobs` (`jobOwner`, `jobOrder`) lists each job, and each transfer that was requested
//! through the API of SCV, the courts' document viewer. The index contains only keys, so that
//! DynamoDB does not copy every change of a job's progress into it.
//!
//! If DynamoDB rejects a write because a condition does not hold, `WriteFailure::current_item`
//! returns the current item. For a transaction, it returns the result of each action. For any other
//! failure, it returns an error.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use docferry_app::ports::{BatchRetry, History, HistoryEntry, JobPosition, JobStore, StoreError};
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, IdempotencyRecord};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Step, Transfer};
use jiff::Timestamp;

use super::DynamoTransferStore;
use super::batches;
use super::conditional_update::{ConditionalUpdate, number, string};
use super::history_index::{JOBS, ORDER, OWNER, order, read_order};
use super::idempotency::read_request;
use super::items::{attribute, queue_item, read_transfer, ttl};
use super::keys::{Item, batch_key, counts_key, request_key, transfer_key};
use super::table::Table;
use super::unfinished_index::{DUE, SHARD, shard};
use super::write_failure::ConditionResult;

/// Attributes of one run of a transfer. A retry removes them.
const RUN_ATTRIBUTES: [&str; 17] = [
    "pushAgain",
    "admittedAt",
    "ending",
    "startedAt",
    "endedAt",
    "object",
    "checkpoint",
    "resumeAt",
    "delivery",
    "failure",
    "settled",
    "expiresAt",
    "lastTransientError",
    Step::Push.attribute(),
    Step::Poll.attribute(),
    Step::Deliver.attribute(),
    Step::Finalize.attribute(),
];

/// Sort key that is greater than that of every job in a caller's history. All sort keys begin with
/// a digit, and `:` sorts after `9`.
const AFTER_NEWEST_JOB: &str = ":";

/// Parses a job, which is a single transfer or a batch.
fn read_job(item: Item) -> Result<HistoryEntry, StoreError> {
    let is_batch = item.get("sk").is_some_and(|sk| sk.as_s().is_ok_and(|sk| sk == "BUNDLE"));
    Ok(if is_batch {
        HistoryEntry::Many(Box::new(batches::read_batch(item)?))
    } else {
        HistoryEntry::One(Box::new(read_transfer(item)?))
    })
}

/// Returns a transaction action that subtracts an ended document from the counts of its batch. The
/// transaction that restarts the document must contain this action.
fn decrement_counts_action(
    table: &Table,
    batch: &TransferId,
    read: &Transfer,
) -> Result<TransactWriteItem, StoreError> {
    let decremented = ConditionalUpdate::default().decrease("ended", 1);
    let decremented = if read.phase == Phase::Completed {
        let bytes = read.source.as_ref().map_or(0, |source| source.size);
        decremented.decrease("completed", 1).decrease("bytes", bytes)
    } else {
        decremented
    };
    table.update_action(counts_key(batch), decremented)
}

impl JobStore for DynamoTransferStore {
    async fn restart_transfer(
        &self,
        read: &Transfer,
        next_run: &Transfer,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let table = &self.table;
        let id = &read.transfer_id;
        let mut restarted = ConditionalUpdate::default()
            .when("#attempt = :readAttempt AND #phase = :readPhase AND #settled = :true")
            .value("readAttempt", number(read.execution_number))
            .value("readPhase", string(read.phase.as_str()))
            .value("true", AttributeValue::Bool(true))
            .set("attempt", number(next_run.execution_number))
            .set("pastAttempts", number(next_run.past_executions))
            .set("retries", number(next_run.retries))
            .set("epoch", number(next_run.epoch))
            .set("phase", string(next_run.phase.as_str()))
            .set("turn", string(next_run.slot_state.as_str()))
            .set("cancelRequested", AttributeValue::Bool(false))
            .set("bytesDone", number(0))
            .set("deadline", attribute(&next_run.deadline)?)
            .set(SHARD, string(shard(id)))
            .set(DUE, number(due.as_millisecond()))
            .remove(&RUN_ATTRIBUTES);
        if let Some(until) = next_run.spec.retain_until {
            restarted = restarted.set("keepUntil", attribute(&until)?);
        }
        if !next_run.late_arrival_keys.is_empty() {
            restarted = restarted.set("owedKeys", attribute(&next_run.late_arrival_keys)?);
        }
        if let Some(at) = next_run.queued_at {
            restarted = restarted.set("queuedAt", attribute(&at)?);
        }
        let mut actions = vec![table.update_action(transfer_key(id), restarted)?];
        match id.batch_and_number() {
            None => actions.push(table.put_action(queue_item(next_run))?),
            Some((batch, _)) => {
                actions.push(decrement_counts_action(table, &batch, read)?);
                let resuming = ConditionalUpdate::default()
                    .when("#resuming = :resuming AND #retries = :retries")
                    .value("resuming", AttributeValue::Bool(true))
                    .value("retries", number(next_run.retries));
                actions.push(table.check_action(batch_key(&batch), resuming)?);
            }
        }
        let Err(failure) = table.transact(&actions).await else { return Ok(true) };
        match failure.current_item()?.into_iter().next() {
            // The first attempt of this same write may have started the new run already.
            Some(ConditionResult::Failed(Some(current))) => {
                let current = read_transfer(current)?;
                Ok(current.retries == next_run.retries
                    && current.execution_number == next_run.execution_number)
            }
            _ => Ok(false),
        }
    }

    async fn resume_batch(&self, read: &Batch, retry: &BatchRetry) -> Result<bool, StoreError> {
        let BatchRetry { retain_until, deadline, due, origin } = retry;
        let table = &self.table;
        let id = &read.batch_id;
        let retries = read.retries.saturating_add(1);
        let resumed = ConditionalUpdate::default()
            .when("#phase = :readPhase")
            .value("readPhase", string(read.phase.as_str()))
            .when("attribute_not_exists(#retries) OR #retries = :readRetries")
            .value("readRetries", number(read.retries))
            .set("phase", string(Phase::Uploading.as_str()))
            .set("retries", number(retries))
            .set("resuming", AttributeValue::Bool(true))
            .set("documentsStopped", AttributeValue::Bool(false))
            .set("cancelRequested", AttributeValue::Bool(false))
            .set("keepUntil", attribute(retain_until)?)
            .set("deadline", attribute(deadline)?)
            .set(SHARD, string(shard(id)))
            .set(DUE, number(due.as_millisecond()))
            .remove(&["endedAt", "failure", "failedDocuments", "expiresAt"]);
        let resumed = match origin {
            Some(origin) => resumed.set("retryOrigin", attribute(origin)?),
            None => resumed.remove(&["retryOrigin"]),
        };
        let counts = ConditionalUpdate::default().remove(&["firstFailure", "expiresAt"]);
        let actions = [
            table.update_action(batch_key(id), resumed)?,
            table.update_action(counts_key(id), counts)?,
        ];
        let Err(failure) = table.transact(&actions).await else { return Ok(true) };
        match failure.current_item()?.into_iter().next() {
            // The first attempt of this same write may have resumed the batch already.
            Some(ConditionResult::Failed(Some(current))) => {
                let current = batches::read_batch(current)?;
                Ok(current.retries == retries && current.spec.retain_until == Some(*retain_until))
            }
            _ => Ok(false),
        }
    }

    async fn mark_documents_resumed(
        &self,
        id: &TransferId,
        retries: u32,
    ) -> Result<(), StoreError> {
        let table = &self.table;
        let resumed = ConditionalUpdate::default()
            .when("#retries = :retries")
            .value("retries", number(retries))
            .remove(&["resuming"]);
        match table.update(batch_key(id), resumed).await {
            Ok(_) => Ok(()),
            Err(failure) => failure.current_item().map(drop),
        }
    }

    async fn extend_retention(
        &self,
        id: &TransferId,
        retain_until: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let table = &self.table;
        let retained = ConditionalUpdate::default()
            .when("attribute_exists(#endedAt)")
            .set("keepUntil", attribute(&retain_until)?)
            .set("expiresAt", ttl(purge_at));
        match table.update(transfer_key(id), retained).await {
            Ok(_) => Ok(()),
            Err(failure) => failure.current_item().map(drop),
        }
    }

    async fn request(
        &self,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        let item = self.table.get(request_key(key)).await?;
        let request = item.map(read_request).transpose()?;
        Ok(request.filter(|request| request.retain_until > now))
    }

    async fn delete_idempotency_record(
        &self,
        request: &IdempotencyRecord,
    ) -> Result<(), StoreError> {
        let table = &self.table;
        let same_job = ConditionalUpdate::default()
            .when("#jobId = :jobId")
            .value("jobId", string(request.job_id.as_str()));
        match table.delete(request_key(&request.key), same_job).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.current_item(),
        }
    }
}

impl History for DynamoTransferStore {
    async fn jobs(
        &self,
        owner: &str,
        before: Option<&JobPosition>,
        limit: usize,
    ) -> Result<(Vec<HistoryEntry>, Option<JobPosition>), StoreError> {
        let table = &self.table;
        let end = before.map_or_else(|| AFTER_NEWEST_JOB.to_owned(), order);
        let entries = table.newest(JOBS, (OWNER, owner), (ORDER, &end), limit).await?;
        let positions: Vec<JobPosition> =
            entries.iter().filter_map(|item| read_order(item.get(ORDER)?.as_s().ok()?)).collect();
        // A full page may not be the last one. The next page begins after the last job of this one.
        let next = positions.last().filter(|_| entries.len() == limit).cloned();
        let keys = entries.into_iter().map(|item| {
            let key_part =
                |name: &str| item.get(name).cloned().map(|value| (name.to_owned(), value));
            key_part("pk").into_iter().chain(key_part("sk")).collect::<Item>()
        });
        let mut jobs: Vec<HistoryEntry> = table
            .batch(keys.collect())
            .await?
            .into_iter()
            .map(read_job)
            .collect::<Result<_, _>>()?;
        // `batch` returns the jobs in any order.
        jobs.sort_by_key(|job| std::cmp::Reverse(job.place()));
        Ok((jobs, next))
    }
}
