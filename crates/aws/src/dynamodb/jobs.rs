//! What callers see as jobs: their histories, the names of their requests, and runs
//! that follow on others.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `I#{hash}` | `REQUEST` | what a request of that name has made |
//!
//! The index `jobs` (`jobOwner`, `jobOrder`; keys only) holds each job and each transfer of
//! the viewer's contract. Keys only, so that progress is not replicated into it.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use docferry_app::ports::{Entered, History, JobPlace, JobStore, Listed, StoreError};
use docferry_domain::{Bundle, NamedRequest, Phase, Step, Transfer, TransferId};
use jiff::Timestamp;

use super::DynamoTransferStore;
use super::bundles;
use super::change::{Change, number, string};
use super::items::{
    DUE, Item, SHARD, attribute, bundle_key, corrupt, counts_key, queue_item, read_transfer,
    request_key, shard, transfer_key, ttl, whole_item,
};
use super::table::{Check, Table};

/// The index of jobs.
pub(super) const JOBS: &str = "jobs";
/// Its partition key.
pub(super) const OWNER: &str = "jobOwner";
/// Its sort key.
pub(super) const ORDER: &str = "jobOrder";

/// Puts a job into its owner's history.
pub(super) fn listed(mut item: Item, owner: &str, place: &JobPlace) -> Item {
    item.insert(OWNER.into(), string(owner));
    item.insert(ORDER.into(), string(order(place)));
    item
}

fn order(place: &JobPlace) -> String {
    // 13 digits last until the year 2286.
    format!("{:013}#{}", place.created_ms.max(0), place.id)
}

fn read_order(text: &str) -> Option<JobPlace> {
    let (created_ms, id) = text.split_once('#')?;
    Some(JobPlace { created_ms: created_ms.parse().ok()?, id: id.parse().ok()? })
}

fn read_listed(item: Item) -> Result<Listed, StoreError> {
    let is_bundle = item.get("sk").is_some_and(|sk| sk.as_s().is_ok_and(|sk| sk == "BUNDLE"));
    Ok(if is_bundle {
        Listed::Many(Box::new(bundles::read_bundle(item)?))
    } else {
        Listed::One(Box::new(read_transfer(item)?))
    })
}

/// Remembering a request, as an action of the transaction that records its job. One
/// that was to be remembered until before now counts as forgotten: the table may
/// forget it days later.
pub(super) fn remembering(
    table: &Table,
    request: &NamedRequest,
    now: Timestamp,
) -> Result<TransactWriteItem, StoreError> {
    let mut item = whole_item(request, request_key(&request.key), "request")?;
    item.insert("expiresAt".into(), ttl(request.keep_until));
    let free = Change::default()
        .when("attribute_not_exists(pk) OR #expiresAt <= :now")
        .value("now", number(now.as_second()));
    table.putting_when(item, free)
}

/// What the condition of [`remembering`] says: the request that came before, unless
/// that was our own first try.
pub(super) fn remembered(
    check: Option<Check>,
    ours: &NamedRequest,
) -> Result<Option<NamedRequest>, StoreError> {
    let Some(Check::Failed(Some(item))) = check else { return Ok(None) };
    Ok(Some(read_request(item)?).filter(|before| before.job_id != ours.job_id))
}

fn read_request(item: Item) -> Result<NamedRequest, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("request"))
}

/// Attributes of a run that do not outlive it.
const OF_A_RUN: [&str; 17] = [
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

/// A document does not count among those that have ended any more.
fn uncounting(
    table: &Table,
    bundle: &TransferId,
    read: &Transfer,
) -> Result<TransactWriteItem, StoreError> {
    let fewer = Change::default().minus("ended", 1);
    let fewer = if read.phase == Phase::Completed {
        fewer.minus("completed", 1).minus("bytes", read.source.as_ref().map_or(0, |s| s.size))
    } else {
        fewer
    };
    table.updating(counts_key(bundle), fewer)
}

/// What came of recording something with a request's name, or without one.
pub(super) fn entered(before: Option<NamedRequest>) -> Entered {
    before.map_or(Entered::Done, Entered::Before)
}

impl JobStore for DynamoTransferStore {
    async fn run_again(
        &self,
        read: &Transfer,
        again: &Transfer,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let table = &self.table;
        let id = &read.transfer_id;
        let mut begun = Change::default()
            .when("#attempt = :readAttempt AND #phase = :readPhase AND #settled = :true")
            .value("readAttempt", number(read.attempt))
            .value("readPhase", string(read.phase.as_str()))
            .value("true", AttributeValue::Bool(true))
            .set("attempt", number(again.attempt))
            .set("pastAttempts", number(again.past_attempts))
            .set("retries", number(again.retries))
            .set("epoch", number(again.epoch))
            .set("phase", string(again.phase.as_str()))
            .set("turn", string(again.turn.as_str()))
            .set("cancelRequested", AttributeValue::Bool(false))
            .set("bytesDone", number(0))
            .set("deadline", attribute(&again.deadline)?)
            .set(SHARD, string(shard(id)))
            .set(DUE, number(due.as_millisecond()))
            .remove(&OF_A_RUN);
        if let Some(until) = again.keep_until {
            begun = begun.set("keepUntil", attribute(&until)?);
        }
        if !again.owed_keys.is_empty() {
            begun = begun.set("owedKeys", attribute(&again.owed_keys)?);
        }
        if let Some(at) = again.queued_at {
            begun = begun.set("queuedAt", attribute(&at)?);
        }
        let mut actions = vec![table.updating(transfer_key(id), begun)?];
        match id.in_bundle() {
            None => actions.push(table.putting(queue_item(again))?),
            Some((bundle, _)) => {
                actions.push(uncounting(table, &bundle, read)?);
                let resuming = Change::default()
                    .when("#resuming = :resuming AND #retries = :retries")
                    .value("resuming", AttributeValue::Bool(true))
                    .value("retries", number(again.retries));
                actions.push(table.checking(bundle_key(&bundle), resuming)?);
            }
        }
        let Err(refusal) = table.transact(&actions).await else { return Ok(true) };
        match refusal.stood()?.into_iter().next() {
            // Our own first try.
            Some(Check::Failed(Some(stood))) => {
                let stood = read_transfer(stood)?;
                Ok(stood.retries == again.retries && stood.attempt == again.attempt)
            }
            _ => Ok(false),
        }
    }

    async fn resume_bundle(
        &self,
        read: &Bundle,
        keep_until: Timestamp,
        deadline: Timestamp,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let table = &self.table;
        let id = &read.bundle_id;
        let retries = read.retries.saturating_add(1);
        let resumed = Change::default()
            .when("#phase = :readPhase")
            .value("readPhase", string(read.phase.as_str()))
            .when("attribute_not_exists(#retries) OR #retries = :readRetries")
            .value("readRetries", number(read.retries))
            .set("phase", string(Phase::Uploading.as_str()))
            .set("retries", number(retries))
            .set("resuming", AttributeValue::Bool(true))
            .set("documentsStopped", AttributeValue::Bool(false))
            .set("cancelRequested", AttributeValue::Bool(false))
            .set("keepUntil", attribute(&keep_until)?)
            .set("deadline", attribute(&deadline)?)
            .set(SHARD, string(shard(id)))
            .set(DUE, number(due.as_millisecond()))
            .remove(&["endedAt", "failure", "failedDocuments", "expiresAt"]);
        let counts = Change::default().remove(&["firstFailure", "expiresAt"]);
        let actions =
            [table.updating(bundle_key(id), resumed)?, table.updating(counts_key(id), counts)?];
        let Err(refusal) = table.transact(&actions).await else { return Ok(true) };
        match refusal.stood()?.into_iter().next() {
            // Our own first try.
            Some(Check::Failed(Some(stood))) => {
                let stood = bundles::read_bundle(stood)?;
                Ok(stood.retries == retries && stood.keep_until == Some(keep_until))
            }
            _ => Ok(false),
        }
    }

    async fn documents_resumed(&self, id: &TransferId, retries: u32) -> Result<(), StoreError> {
        let table = &self.table;
        let resumed = Change::default()
            .when("#retries = :retries")
            .value("retries", number(retries))
            .remove(&["resuming"]);
        match table.update(bundle_key(id), resumed).await {
            Ok(_) => Ok(()),
            Err(refusal) => refusal.stood().map(drop),
        }
    }

    async fn keep_longer(
        &self,
        id: &TransferId,
        keep_until: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let table = &self.table;
        let kept = Change::default()
            .when("attribute_exists(#endedAt)")
            .set("keepUntil", attribute(&keep_until)?)
            .set("expiresAt", ttl(purge_at));
        match table.update(transfer_key(id), kept).await {
            Ok(_) => Ok(()),
            Err(refusal) => refusal.stood().map(drop),
        }
    }

    async fn request(&self, key: &str, now: Timestamp) -> Result<Option<NamedRequest>, StoreError> {
        let item = self.table.get(request_key(key)).await?;
        let request = item.map(read_request).transpose()?;
        Ok(request.filter(|request| request.keep_until > now))
    }

    async fn forget_request(&self, request: &NamedRequest) -> Result<(), StoreError> {
        let table = &self.table;
        let ours = Change::default()
            .when("#jobId = :jobId")
            .value("jobId", string(request.job_id.as_str()));
        match table.delete(request_key(&request.key), ours).await {
            Ok(()) => Ok(()),
            Err(refusal) => refusal.stood(),
        }
    }
}

impl History for DynamoTransferStore {
    async fn jobs(
        &self,
        owner: &str,
        before: Option<&JobPlace>,
        limit: usize,
    ) -> Result<(Vec<Listed>, Option<JobPlace>), StoreError> {
        let table = &self.table;
        // Behind every place: these begin with digits.
        let before = before.map_or_else(|| ":".to_owned(), order);
        let named = table.newest(JOBS, (OWNER, owner), (ORDER, &before), limit).await?;
        let places: Vec<JobPlace> =
            named.iter().filter_map(|item| read_order(item.get(ORDER)?.as_s().ok()?)).collect();
        let next = places.last().filter(|_| named.len() == limit).cloned();
        let keys = named.into_iter().map(|item| {
            let part = |name: &str| item.get(name).cloned().map(|value| (name.to_owned(), value));
            part("pk").into_iter().chain(part("sk")).collect::<Item>()
        });
        let mut found: Vec<Listed> = table
            .batch(keys.collect())
            .await?
            .into_iter()
            .map(read_listed)
            .collect::<Result<_, _>>()?;
        found.sort_by_key(|job| std::cmp::Reverse(job.place()));
        Ok((found, next))
    }
}
