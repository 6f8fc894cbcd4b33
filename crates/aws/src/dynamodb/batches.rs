//! Batches in DynamoDB. A *batch* is one job for many documents. A retry of a batch is another
//! *run*, and `retries` is the number of runs after the first one.
//!
//! All items of a batch are in one partition:
//!
//! | sk | holds |
//! |---|---|
//! | `BUNDLE` | the batch itself |
//! | `COUNTS` | the numbers of its ended and completed documents |
//! | `DOC#{number}` | one document, which is stored as a transfer |
//! | `NAME#{name}` | a file name, and the document that has reserved it |
//!
//! If DynamoDB rejects a write because a condition does not hold, `WriteFailure::current_item`
//! returns the current item. For a transaction, it returns the result of each action. For any other
//! failure, it returns an error.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use docferry_app::ports::{BatchStore, CreateResult, JobPosition, StoreError};
use docferry_domain::document::DocumentName;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, BatchCounts, IdempotencyRecord, WebhookNotification};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Failure, Outcome, SCHEMA_VERSION, Transfer};
use jiff::Timestamp;

use super::DynamoTransferStore;
use super::conditional_update::{ConditionalUpdate, number, string};
use super::guards::while_active;
use super::items::{attribute, corrupt, read_transfer, transfer_item, ttl, whole_item};
use super::keys::{Item, batch_key, counts_key, document_sort_key, name_key, partition};
use super::table::Table;
use super::unfinished_index::{DUE, SHARD, first_check, indexed, shard};
use super::{history_index, idempotency, notifications};

/// Highest possible number of a document. Sort keys have four digits for the number.
const LAST_DOCUMENT: u16 = 9999;

/// Number of items that sort before the documents of a batch: `BUNDLE` and `COUNTS`.
const ITEMS_BEFORE_DOCUMENTS: usize = 2;

/// Parses the items of a batch. Returns the batch, its counts and its documents, or `None` if the
/// items do not contain the batch itself.
fn read_partition(
    items: Vec<Item>,
) -> Result<Option<(Batch, BatchCounts, Vec<Transfer>)>, StoreError> {
    let (mut batch, mut counts, mut documents) = (None, BatchCounts::default(), Vec::new());
    for item in items {
        match item.get("sk").and_then(|sk| sk.as_s().ok()).map(String::as_str) {
            Some("BUNDLE") => batch = Some(read_batch(item)?),
            Some("COUNTS") => counts = read_counts(&item),
            _ => documents.push(read_transfer(item)?),
        }
    }
    Ok(batch.map(|batch| (batch, counts, documents)))
}

/// Parses a batch. Fails if the item has a newer schema than this version knows.
pub(super) fn read_batch(item: Item) -> Result<Batch, StoreError> {
    let batch: Batch =
        serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("batch"))?;
    if batch.schema_version > SCHEMA_VERSION { Err(corrupt("batch")) } else { Ok(batch) }
}

fn read_counts(item: &Item) -> BatchCounts {
    let digits = |name: &str| item.get(name).and_then(|value| value.as_n().ok());
    // A missing count is 0.
    let count = |name| digits(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    let code = item.get("firstFailure").and_then(|value| value.as_s().ok());
    BatchCounts {
        ended: count("ended"),
        completed: count("completed"),
        bytes: digits("bytes").and_then(|text| text.parse().ok()).unwrap_or_default(),
        // An unknown code, written by a newer version, is reported as an internal failure.
        first_failure: code.map(|code| code.parse().unwrap_or(FailureCode::Internal)),
    }
}

/// Returns a transaction action that counts an ended document in its batch; `None` for a transfer
/// outside a batch. The transaction that ends the document must contain this action.
pub(super) fn count_ended_action(
    table: &Table,
    ended: &Transfer,
) -> Result<Option<TransactWriteItem>, StoreError> {
    let Some((batch, _)) = ended.transfer_id.batch_and_number() else { return Ok(None) };
    let counted = ConditionalUpdate::default().increment("ended");
    let counted = match &ended.failure {
        None => {
            let bytes = ended.source.as_ref().map_or(0, |source| source.size);
            counted.increment("completed").increase("bytes", bytes)
        }
        Some(failure) => counted.set_once("firstFailure", attribute(&failure.code)?),
    };
    table.update_action(counts_key(&batch), counted).map(Some)
}

/// Adds the condition that the batch is in the run with this number of `retries`. The attribute may
/// be absent if the batch was never retried.
fn when_in_run(change: ConditionalUpdate, retries: u32) -> ConditionalUpdate {
    let same_run = if retries == 0 {
        "attribute_not_exists(#retries) OR #retries = :run"
    } else {
        "#retries = :run"
    };
    change.when(same_run).value("run", number(retries))
}

impl BatchStore for DynamoTransferStore {
    async fn record_batch(
        &self,
        batch: &Batch,
        request: Option<&IdempotencyRecord>,
    ) -> Result<CreateResult, StoreError> {
        let table = &self.table;
        let id = &batch.batch_id;
        let item = whole_item(batch, batch_key(id), "batch")?;
        let item = indexed(item, shard(id), first_check(batch.created_at));
        let item = match batch.spec.retain_until {
            Some(_) => {
                let created_ms = batch.created_at.as_millisecond();
                history_index::with_history_entry(
                    item,
                    &batch.spec.owner,
                    &JobPosition { created_ms, id: id.clone() },
                )
            }
            None => item,
        };
        let mut actions = vec![table.insert_action(item)?];
        if let Some(request) = request {
            actions.push(idempotency::idempotency_action(table, request, batch.created_at)?);
        }
        let Err(failure) = table.transact(&actions).await else { return Ok(CreateResult::Done) };
        // The second action writes the idempotency record, if the request has a key.
        let check = failure.current_item()?.into_iter().nth(1);
        // If no earlier request has written that record, then the first attempt of this same write
        // has created the batch.
        let existing =
            request.map(|own| idempotency::existing_request(check, own)).transpose()?.flatten();
        Ok(idempotency::create_result(existing))
    }

    async fn add_documents(
        &self,
        documents: &[Transfer],
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let table = &self.table;
        let item_of = |document: &Transfer| -> Result<Item, StoreError> {
            let mut item = transfer_item(document)?;
            item.insert("expiresAt".into(), ttl(purge_at));
            Ok(item)
        };
        let actions: Vec<_> = documents
            .iter()
            .map(|document| table.insert_action(item_of(document)?))
            .collect::<Result<_, StoreError>>()?;
        let Err(failure) = table.transact(&actions).await else { return Ok(()) };
        failure.current_item()?;
        // Some documents already exist. The loop inserts the missing documents one by one.
        for document in documents {
            if let Err(failure) = table.insert(item_of(document)?).await {
                failure.current_item()?;
            }
        }
        Ok(())
    }

    async fn commit_batch(&self, id: &TransferId) -> Result<(), StoreError> {
        let table = &self.table;
        let committed = ConditionalUpdate::default()
            .when("#phase = :accepted")
            .value("accepted", string(Phase::Accepted.as_str()))
            .set("phase", string(Phase::Uploading.as_str()));
        match table.update(batch_key(id), committed).await {
            Ok(_) => Ok(()),
            Err(failure) => failure.current_item().map(drop),
        }
    }

    async fn batch(&self, id: &TransferId) -> Result<Option<(Batch, BatchCounts)>, StoreError> {
        let table = &self.table;
        let items = table.range(partition(id), "BUNDLE", "COUNTS", ITEMS_BEFORE_DOCUMENTS).await?;
        Ok(read_partition(items)?.map(|(batch, counts, _no_documents)| (batch, counts)))
    }

    async fn batch_with_documents(
        &self,
        id: &TransferId,
        limit: usize,
    ) -> Result<Option<(Batch, BatchCounts, Vec<Transfer>)>, StoreError> {
        let table = &self.table;
        let last = document_sort_key(LAST_DOCUMENT);
        let max_items = limit.saturating_add(ITEMS_BEFORE_DOCUMENTS);
        read_partition(table.range(partition(id), "BUNDLE", &last, max_items).await?)
    }

    async fn documents(
        &self,
        id: &TransferId,
        from: u16,
        limit: usize,
    ) -> Result<Vec<Transfer>, StoreError> {
        let table = &self.table;
        let (first, last) = (document_sort_key(from), document_sort_key(LAST_DOCUMENT));
        let items = table.range(partition(id), &first, &last, limit).await?;
        items.into_iter().map(read_transfer).collect()
    }

    async fn cancel_batch(
        &self,
        id: &TransferId,
        owner: &str,
        due: Timestamp,
    ) -> Result<Option<Batch>, StoreError> {
        let table = &self.table;
        let canceled = while_active()
            .when("#owner = :owner")
            .value("owner", string(owner))
            .set("cancelRequested", AttributeValue::Bool(true))
            .set(DUE, number(due.as_millisecond()));
        match table.update(batch_key(id), canceled).await {
            Ok(item) => read_batch(item).map(Some),
            Err(failure) => failure.current_item().map(|_| None),
        }
    }

    async fn claim_name(
        &self,
        document: &TransferId,
        name: &DocumentName,
        purge_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some((batch, _)) = document.batch_and_number() else { return Ok(true) };
        let claimed = ConditionalUpdate::default()
            .set("document", string(document.as_str()))
            .set("expiresAt", ttl(purge_at))
            .when("attribute_not_exists(#document) OR #document = :document");
        match self.table.update(name_key(&batch, name), claimed).await {
            Ok(_) => Ok(true),
            Err(failure) => failure.current_item().map(|_| false),
        }
    }

    async fn documents_stopped(&self, id: &TransferId, retries: u32) -> Result<(), StoreError> {
        let table = &self.table;
        let stopped = when_in_run(ConditionalUpdate::default(), retries)
            .when("attribute_exists(pk)")
            .set("documentsStopped", AttributeValue::Bool(true));
        match table.update(batch_key(id), stopped).await {
            Ok(_) => Ok(()),
            Err(failure) => failure.current_item().map(drop),
        }
    }

    async fn end_batch(
        &self,
        read: &Batch,
        counts: &BatchCounts,
        outcome: Outcome,
        ended_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let table = &self.table;
        let id = &read.batch_id;
        let mut ended = when_in_run(while_active(), read.retries)
            .when("attribute_not_exists(#resuming) OR #resuming = :false")
            .value("false", AttributeValue::Bool(false))
            .set("phase", string(outcome.phase().as_str()))
            .set("endedAt", attribute(&ended_at)?)
            .set("failedDocuments", number(counts.failed()))
            .set("expiresAt", ttl(purge_at))
            .remove(&[SHARD, DUE]);
        if let Some(code) = outcome.failure() {
            ended = ended.set("failure", attribute(&Failure { code })?);
        }
        let expiring_counts = ConditionalUpdate::default().set("expiresAt", ttl(purge_at));
        let mut actions = vec![
            table.update_action(batch_key(id), ended)?,
            table.update_action(counts_key(id), expiring_counts)?,
        ];
        if let Some(notification) = WebhookNotification::of_batch(read, counts, outcome, ended_at) {
            actions.push(notifications::put_action(table, &notification)?);
        }
        match table.transact(&actions).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.current_item().map(drop),
        }
    }
}
