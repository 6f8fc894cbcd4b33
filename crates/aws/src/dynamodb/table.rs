//! Access to one DynamoDB table: reads, conditional writes with retries, and the translation of
//! errors.
//!
//! The modules of the store read and write items only through [`Table`]. A write whose condition
//! fails returns [`WriteFailure::Condition`] with the current item.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Delete, Put, ReturnValue,
    ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use backon::{ExponentialBuilder, Retryable as _};
use docferry_app::ports::StoreError;

use crate::Fault;

use super::batch_get::{self, MAX_KEYS};
use super::conditional_update::{ConditionalUpdate, number, string};
use super::items::{DUE, Item, SHARD, UNFINISHED, parse_index_entry};

/// Handle to one DynamoDB table. It retries conflicts and throttled transactions, and
/// translates the errors of DynamoDB.
#[derive(Debug, Clone)]
pub(super) struct Table {
    client: Client,
    name: String,
}

/// Failure of a write. `S` is the current state that DynamoDB returns if a condition failed.
#[derive(Debug)]
pub(super) enum WriteFailure<S> {
    /// A condition did not hold. Contains the current state.
    Condition(S),
    /// A concurrent transaction was writing the item. Nothing was written.
    Conflict(Fault),
    /// DynamoDB throttled the table and canceled the transaction. Nothing was written.
    Throttled(Fault),
    /// The call failed for another reason. The write may have been applied.
    Unavailable(Fault),
}

impl<S> WriteFailure<S> {
    /// Returns the current state if a condition failed.
    ///
    /// # Errors
    /// If the write failed for a reason other than its conditions.
    pub(super) fn current_item(self) -> Result<S, StoreError> {
        match self {
            Self::Condition(current) => Ok(current),
            Self::Conflict(fault) | Self::Throttled(fault) | Self::Unavailable(fault) => {
                Err(StoreError::Unavailable(Box::new(fault)))
            }
        }
    }

    fn of<E: ProvideErrorMetadata>(call: &'static str, error: &SdkError<E, HttpResponse>) -> Self {
        let fault = Fault::of(call, error);
        // The SDK does not retry conflicts, so `Table` retries them.
        if error.code() == Some("TransactionConflictException") {
            Self::Conflict(fault)
        } else {
            Self::Unavailable(fault)
        }
    }
}

/// Sort keys of a query, both ends included.
#[derive(Debug, Clone, Copy)]
pub(super) struct SortKeyRange<'a> {
    pub(super) first: &'a str,
    pub(super) last: &'a str,
    /// Whether the items with the last sort keys come first.
    pub(super) is_descending: bool,
}

/// Items that one query has read.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    /// Key of the last item that the query read, if there may be more items.
    pub(super) last_key: Option<Item>,
}

/// Result of the condition of one action in a canceled transaction.
#[derive(Debug)]
pub(super) enum ConditionResult {
    /// The condition held, or the action had no condition.
    Held,
    /// The condition failed. Contains the current item, if it exists.
    Failed(Option<Item>),
}

/// Backoff between attempts. A conflict lasts as long as the other write, which is a few
/// milliseconds; throttled capacity is available again within a second.
fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(10))
        .with_max_delay(Duration::from_millis(320))
        .with_max_times(7)
        .with_jitter()
}

impl Table {
    pub(super) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Reads an item with strong consistency.
    pub(super) async fn get(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key));
        match Box::pin(request.consistent_read(true).send()).await {
            Ok(response) => Ok(response.item),
            Err(error) => {
                Err(StoreError::Unavailable(Box::new(Fault::of("DynamoDB GetItem", &error))))
            }
        }
    }

    /// Lists the keys in one shard of the index `unfinished` that are due before `before`
    /// (milliseconds since 1970), each with its due time. The result has at most `limit` keys, the
    /// earliest first.
    pub(super) async fn due(
        &self,
        shard: &str,
        before: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Item)>, StoreError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(UNFINISHED)
            .key_condition_expression("#shard = :shard AND #due < :before")
            .expression_attribute_names("#shard", SHARD)
            .expression_attribute_names("#due", DUE)
            .expression_attribute_values(":shard", string(shard))
            .expression_attribute_values(":before", number(before));
        let found = pages(request, limit).await?;
        Ok(found.iter().filter_map(parse_index_entry).collect())
    }

    /// Lists at most `limit` items of a partition with sort keys from `from` to `to`, in ascending
    /// order. The read is strongly consistent.
    pub(super) async fn range(
        &self,
        partition: String,
        from: &str,
        to: &str,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        pages(self.range_query(partition, from, to), limit).await
    }

    /// Reads at most `limit` items of a partition in one call. The read is strongly consistent.
    ///
    /// It begins after the key `start`, which need not exist but must be inside the range.
    pub(super) async fn page(
        &self,
        partition: String,
        range: SortKeyRange<'_>,
        start: Option<Item>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let request = self
            .range_query(partition, range.first, range.last)
            .scan_index_forward(!range.is_descending)
            .set_exclusive_start_key(start);
        query_once(request, limit).await
    }

    /// Builds a strongly consistent query of the items of a partition with sort keys from `from` to
    /// `to`.
    fn range_query(&self, partition: String, from: &str, to: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", string(partition))
            .expression_attribute_values(":from", string(from))
            .expression_attribute_values(":to", string(to))
    }

    /// Lists items as [`Table::range`] does, but without the item whose sort key is `after`.
    pub(super) async fn range_after(
        &self,
        partition: String,
        after: &str,
        to: &str,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let mut found = self.range(partition, after, to, limit + 1).await?;
        found.retain(|item| item.get("sk").and_then(|sk| sk.as_s().ok()) != Some(&after.into()));
        found.truncate(limit);
        Ok(found)
    }

    /// Lists at most `limit` keys in one partition of an index, in descending order of their sort
    /// keys. The index may lag behind the table.
    ///
    /// `partition` and `before` are pairs of attribute name and value. Only sort keys below the
    /// value of `before` are listed.
    pub(super) async fn newest(
        &self,
        index: &str,
        (partition_name, partition): (&str, &str),
        (sort_name, before): (&str, &str),
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(index)
            .scan_index_forward(false)
            .key_condition_expression("#pk = :pk AND #sk < :before")
            .expression_attribute_names("#pk", partition_name)
            .expression_attribute_names("#sk", sort_name)
            .expression_attribute_values(":pk", string(partition))
            .expression_attribute_values(":before", string(before));
        pages(request, limit).await
    }

    /// Reads the items with these keys, in any order. Keys without an item are skipped. The read is
    /// strongly consistent.
    pub(super) async fn batch(&self, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        for chunk in keys.chunks(MAX_KEYS) {
            found.extend(
                batch_get::batch_get(&self.client, &self.name, chunk.to_vec(), true).await?,
            );
        }
        Ok(found)
    }

    /// Writes a new item. Fails if an item with its key exists.
    pub(super) async fn insert(&self, item: Item) -> Result<(), WriteFailure<Option<Item>>> {
        let try_once = || async {
            let request = self
                .client
                .put_item()
                .table_name(&self.name)
                .set_item(Some(item.clone()))
                .condition_expression("attribute_not_exists(pk)")
                .return_values_on_condition_check_failure(OnFailure::AllOld);
            let error = match Box::pin(request.send()).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            Err(match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    WriteFailure::Condition(failed.item().cloned())
                }
                _ => WriteFailure::of("DynamoDB PutItem", &error),
            })
        };
        try_once.retry(backoff()).when(is_transient).await
    }

    /// Updates an item and returns its new state.
    pub(super) async fn update(
        &self,
        key: Item,
        change: ConditionalUpdate,
    ) -> Result<Item, WriteFailure<Option<Item>>> {
        let try_once = || async {
            let parts = change.clone().into_expressions();
            let request = self
                .client
                .update_item()
                .table_name(&self.name)
                .set_key(Some(key.clone()))
                .set_update_expression(parts.update)
                .set_condition_expression(parts.condition)
                .set_expression_attribute_names(parts.names)
                .set_expression_attribute_values(parts.values)
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(OnFailure::AllOld);
            let error = match Box::pin(request.send()).await {
                Ok(response) => return Ok(response.attributes.unwrap_or_default()),
                Err(error) => error,
            };
            Err(match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    WriteFailure::Condition(failed.item().cloned())
                }
                _ => WriteFailure::of("DynamoDB UpdateItem", &error),
            })
        };
        try_once.retry(backoff()).when(is_transient).await
    }

    /// Deletes an item if the conditions of `change` hold. The rest of `change` is ignored.
    pub(super) async fn delete(
        &self,
        key: Item,
        change: ConditionalUpdate,
    ) -> Result<(), WriteFailure<()>> {
        let try_once = || async {
            let parts = change.clone().into_expressions();
            let request = self
                .client
                .delete_item()
                .table_name(&self.name)
                .set_key(Some(key.clone()))
                .set_condition_expression(parts.condition)
                .set_expression_attribute_names(parts.names)
                .set_expression_attribute_values(parts.values);
            let error = match Box::pin(request.send()).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            Err(match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => {
                    WriteFailure::Condition(())
                }
                _ => WriteFailure::of("DynamoDB DeleteItem", &error),
            })
        };
        try_once.retry(backoff()).when(is_transient).await
    }

    /// Executes all actions in one transaction. The SDK sends an idempotency token with each call.
    /// If it retries the call after a lost response, DynamoDB therefore does not apply the actions
    /// twice.
    pub(super) async fn transact(
        &self,
        actions: &[TransactWriteItem],
    ) -> Result<(), WriteFailure<Vec<ConditionResult>>> {
        let try_once = || async {
            let request =
                self.client.transact_write_items().set_transact_items(Some(actions.to_vec()));
            let error = match Box::pin(request.send()).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            Err(match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                    classify_cancellation(canceled.cancellation_reasons())
                }
                _ => WriteFailure::of("DynamoDB TransactWriteItems", &error),
            })
        };
        try_once.retry(backoff()).when(is_transient).await
    }

    /// Returns a transaction action that updates an item.
    pub(super) fn update_action(
        &self,
        key: Item,
        change: ConditionalUpdate,
    ) -> Result<TransactWriteItem, StoreError> {
        let parts = change.into_expressions();
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(key))
            .set_update_expression(parts.update)
            .set_condition_expression(parts.condition)
            .set_expression_attribute_names(parts.names)
            .set_expression_attribute_values(parts.values)
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let update = update.build().map_err(|_| invalid_request())?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Returns a transaction action that checks the conditions of `change` without writing.
    pub(super) fn check_action(
        &self,
        key: Item,
        change: ConditionalUpdate,
    ) -> Result<TransactWriteItem, StoreError> {
        let parts = change.into_expressions();
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(key))
            .set_condition_expression(parts.condition)
            .set_expression_attribute_names(parts.names)
            .set_expression_attribute_values(parts.values)
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let check = check.build().map_err(|_| invalid_request())?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// Returns a transaction action that writes a whole item.
    pub(super) fn put_action(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.name).set_item(Some(item)).build();
        Ok(TransactWriteItem::builder().put(put.map_err(|_| invalid_request())?).build())
    }

    /// Returns a transaction action that writes a new item. The transaction fails if an item with
    /// its key exists.
    pub(super) fn insert_action(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        self.put_action_when(item, ConditionalUpdate::default().when("attribute_not_exists(pk)"))
    }

    /// Returns a transaction action that writes a whole item if the conditions of `change` hold.
    pub(super) fn put_action_when(
        &self,
        item: Item,
        change: ConditionalUpdate,
    ) -> Result<TransactWriteItem, StoreError> {
        let parts = change.into_expressions();
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .set_condition_expression(parts.condition)
            .set_expression_attribute_names(parts.names)
            .set_expression_attribute_values(parts.values)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .build();
        Ok(TransactWriteItem::builder().put(put.map_err(|_| invalid_request())?).build())
    }

    /// Returns a transaction action that deletes an item, if it exists.
    pub(super) fn delete_action(&self, key: Item) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.name).set_key(Some(key)).build();
        Ok(TransactWriteItem::builder().delete(delete.map_err(|_| invalid_request())?).build())
    }
}

/// Runs a query page by page and returns at most `limit` items.
async fn pages(request: QueryFluentBuilder, limit: usize) -> Result<Vec<Item>, StoreError> {
    let (mut found, mut start_key) = (Vec::new(), None);
    while found.len() < limit {
        let page = request.clone().set_exclusive_start_key(start_key);
        let Page { items, last_key } = query_once(page, limit).await?;
        found.extend(items);
        start_key = last_key;
        if start_key.is_none() {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// Runs a query once. It reads at most `limit` items and at most one megabyte.
async fn query_once(request: QueryFluentBuilder, limit: usize) -> Result<Page, StoreError> {
    let request = request.limit(i32::try_from(limit).unwrap_or(i32::MAX));
    match Box::pin(request.send()).await {
        Ok(page) => {
            Ok(Page { items: page.items.unwrap_or_default(), last_key: page.last_evaluated_key })
        }
        Err(error) => Err(StoreError::Unavailable(Box::new(Fault::of("DynamoDB Query", &error)))),
    }
}

/// Returns whether the same write may succeed a moment later. The SDK never retries a canceled
/// transaction, even if throttling was the reason.
fn is_transient<S>(failure: &WriteFailure<S>) -> bool {
    matches!(failure, WriteFailure::Conflict(_) | WriteFailure::Throttled(_))
}

/// Error for a request that lacks a required field.
fn invalid_request() -> StoreError {
    let fault = Fault::new("DynamoDB TransactWriteItems", "the request could not be built");
    StoreError::Unavailable(Box::new(fault))
}

/// Derives the failure of a canceled transaction from its cancellation reasons. Conflicts and
/// throttling take precedence over failed conditions, because a retry may then succeed.
fn classify_cancellation(reasons: &[CancellationReason]) -> WriteFailure<Vec<ConditionResult>> {
    const CALL: &str = "DynamoDB TransactWriteItems";
    let mut checks = Vec::with_capacity(reasons.len());
    let (mut throttling, mut unexpected) = (None, None);
    for reason in reasons {
        match reason.code() {
            None | Some("None") => checks.push(ConditionResult::Held),
            Some("ConditionalCheckFailed") => {
                checks.push(ConditionResult::Failed(reason.item.clone()));
            }
            Some("TransactionConflict") => {
                return WriteFailure::Conflict(Fault::new(CALL, "TransactionConflict"));
            }
            Some(code @ ("ThrottlingError" | "ProvisionedThroughputExceeded")) => {
                throttling = Some(Fault::with_code(CALL, code));
            }
            Some(code) => unexpected = Some(Fault::with_code(CALL, code)),
        }
    }
    match (unexpected, throttling) {
        (Some(fault), _) => WriteFailure::Unavailable(fault),
        (None, Some(fault)) => WriteFailure::Throttled(fault),
        (None, None) => WriteFailure::Condition(checks),
    }
}
