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

use super::batch::{self, MOST_KEYS};
use super::change::{Change, number, string};
use super::items::{DUE, Item, SHARD, UNFINISHED, read_due};

/// The table, and the one place where DynamoDB's answers are translated.
#[derive(Debug, Clone)]
pub(super) struct Table {
    client: Client,
    name: String,
}

/// Why a write did not happen.
#[derive(Debug)]
pub(super) enum Refusal<S> {
    /// A condition did not hold; with what stood there.
    Condition(S),
    /// Another transaction held the item at that moment; nothing was written.
    Conflict(Fault),
    /// The table had no capacity at that moment, so a transaction was canceled; nothing was
    /// written.
    Throttled(Fault),
    /// Anything else; the write may have been applied.
    Unavailable(Fault),
}

impl<S> Refusal<S> {
    /// What stood there, when it was a condition that failed.
    pub(super) fn stood(self) -> Result<S, StoreError> {
        match self {
            Self::Condition(stood) => Ok(stood),
            Self::Conflict(fault) | Self::Throttled(fault) | Self::Unavailable(fault) => {
                Err(StoreError::Unavailable(Box::new(fault)))
            }
        }
    }

    fn of<E: ProvideErrorMetadata>(call: &'static str, error: &SdkError<E, HttpResponse>) -> Self {
        let fault = Fault::of(call, error);
        // The SDK does not retry this one: it is neither throttling nor a lost answer.
        if error.code() == Some("TransactionConflictException") {
            Self::Conflict(fault)
        } else {
            Self::Unavailable(fault)
        }
    }
}

/// How the condition of one action in a transaction went.
#[derive(Debug)]
pub(super) enum Check {
    /// It held, or there was none.
    Held,
    /// It failed; with the item as it stood.
    Failed(Option<Item>),
}

/// Conflicts last as long as another write, milliseconds. Capacity comes back within the
/// second.
fn patience() -> ExponentialBuilder {
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

    /// The item, read consistently.
    pub(super) async fn get(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key));
        match Box::pin(request.consistent_read(true).send()).await {
            Ok(answer) => Ok(answer.item),
            Err(error) => {
                Err(StoreError::Unavailable(Box::new(Fault::of("DynamoDB GetItem", &error))))
            }
        }
    }

    /// Keys in one partition of the index that are due before `before`
    /// (milliseconds since 1970), with that time, in order, at most `limit`.
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
        Ok(found.iter().filter_map(read_due).collect())
    }

    /// Items of a partition, read consistently in the order of their sort keys:
    /// those from `from` to `to`, `from` itself only if `inclusive`; at most `limit`.
    pub(super) async fn range(
        &self,
        partition: String,
        from: &str,
        inclusive: bool,
        to: &str,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", string(partition))
            .expression_attribute_values(":from", string(from))
            .expression_attribute_values(":to", string(to));
        let mut found = pages(request, limit + usize::from(!inclusive)).await?;
        if !inclusive {
            found.retain(|item| item.get("sk").and_then(|sk| sk.as_s().ok()) != Some(&from.into()));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Items of a partition of an index, keys only, whose sort keys lie before `before`,
    /// the last of them first; at most `limit`. The index may lag.
    pub(super) async fn newest(
        &self,
        index: &str,
        partition: (&str, &str),
        before: (&str, &str),
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(index)
            .scan_index_forward(false)
            .key_condition_expression("#pk = :pk AND #sk < :before")
            .expression_attribute_names("#pk", partition.0)
            .expression_attribute_names("#sk", before.0)
            .expression_attribute_values(":pk", string(partition.1))
            .expression_attribute_values(":before", string(before.1));
        pages(request, limit).await
    }

    /// The items of these keys that there are, in whichever order, read consistently.
    pub(super) async fn batch(&self, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        for some in keys.chunks(MOST_KEYS) {
            found.extend(batch::batch_get(&self.client, &self.name, some.to_vec(), true).await?);
        }
        Ok(found)
    }

    /// Writes a whole item that must not exist.
    pub(super) async fn insert(&self, item: Item) -> Result<(), Refusal<Option<Item>>> {
        let once = || async {
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
                    Refusal::Condition(failed.item().cloned())
                }
                _ => Refusal::of("DynamoDB PutItem", &error),
            })
        };
        once.retry(patience()).when(is_brief).await
    }

    /// Changes an item and returns it as it is then.
    pub(super) async fn update(
        &self,
        key: Item,
        change: Change,
    ) -> Result<Item, Refusal<Option<Item>>> {
        let once = || async {
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
                Ok(answer) => return Ok(answer.attributes.unwrap_or_default()),
                Err(error) => error,
            };
            Err(match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Refusal::Condition(failed.item().cloned())
                }
                _ => Refusal::of("DynamoDB UpdateItem", &error),
            })
        };
        once.retry(patience()).when(is_brief).await
    }

    /// Deletes an item if the conditions of `change` hold.
    pub(super) async fn delete(&self, key: Item, change: Change) -> Result<(), Refusal<()>> {
        let once = || async {
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
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Refusal::Condition(()),
                _ => Refusal::of("DynamoDB DeleteItem", &error),
            })
        };
        once.retry(patience()).when(is_brief).await
    }

    /// Does all of the actions or none. The SDK gives each call a token of its
    /// own, so that its retries after a lost answer are not applied twice.
    pub(super) async fn transact(
        &self,
        actions: &[TransactWriteItem],
    ) -> Result<(), Refusal<Vec<Check>>> {
        let once = || async {
            let request =
                self.client.transact_write_items().set_transact_items(Some(actions.to_vec()));
            let error = match Box::pin(request.send()).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            Err(match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                    judge(canceled.cancellation_reasons())
                }
                _ => Refusal::of("DynamoDB TransactWriteItems", &error),
            })
        };
        once.retry(patience()).when(is_brief).await
    }

    /// An update as an action of a transaction.
    pub(super) fn updating(
        &self,
        key: Item,
        change: Change,
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
        let update = update.build().map_err(|_| unbuilt())?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Conditions on an item that is not written, as an action of a transaction.
    pub(super) fn checking(
        &self,
        key: Item,
        change: Change,
    ) -> Result<TransactWriteItem, StoreError> {
        let parts = change.into_expressions();
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(key))
            .set_condition_expression(parts.condition)
            .set_expression_attribute_names(parts.names)
            .set_expression_attribute_values(parts.values)
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let check = check.build().map_err(|_| unbuilt())?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// Writing a whole item, as an action of a transaction.
    pub(super) fn putting(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.name).set_item(Some(item)).build();
        Ok(TransactWriteItem::builder().put(put.map_err(|_| unbuilt())?).build())
    }

    /// Writing a whole item that must not exist, as an action of a transaction.
    pub(super) fn inserting(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        self.putting_when(item, Change::default().when("attribute_not_exists(pk)"))
    }

    /// Writing a whole item if the conditions of `change` hold, as an action of a
    /// transaction.
    pub(super) fn putting_when(
        &self,
        item: Item,
        change: Change,
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
        Ok(TransactWriteItem::builder().put(put.map_err(|_| unbuilt())?).build())
    }

    /// Deleting an item, if it is there, as an action of a transaction.
    pub(super) fn deleting(&self, key: Item) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.name).set_key(Some(key)).build();
        Ok(TransactWriteItem::builder().delete(delete.map_err(|_| unbuilt())?).build())
    }
}

/// What a query finds, page after page, at most `limit`.
async fn pages(request: QueryFluentBuilder, limit: usize) -> Result<Vec<Item>, StoreError> {
    let request = request.limit(i32::try_from(limit).unwrap_or(i32::MAX));
    let (mut found, mut from) = (Vec::new(), None);
    while found.len() < limit {
        let page = request.clone().set_exclusive_start_key(from);
        let answer = Box::pin(page.send()).await.map_err(|error| {
            StoreError::Unavailable(Box::new(Fault::of("DynamoDB Query", &error)))
        })?;
        found.extend(answer.items.unwrap_or_default());
        from = answer.last_evaluated_key;
        if from.is_none() {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// Whether the same write may succeed a moment later. The SDK retries no canceled
/// transaction, whatever canceled it.
fn is_brief<S>(refusal: &Refusal<S>) -> bool {
    matches!(refusal, Refusal::Conflict(_) | Refusal::Throttled(_))
}

fn unbuilt() -> StoreError {
    let fault = Fault::new("DynamoDB TransactWriteItems", "the request could not be built");
    StoreError::Unavailable(Box::new(fault))
}

/// Reads the reasons of a canceled transaction. A condition may have failed only
/// because the rest is in conflict or throttled, so those go first.
fn judge(reasons: &[CancellationReason]) -> Refusal<Vec<Check>> {
    const CALL: &str = "DynamoDB TransactWriteItems";
    let mut checks = Vec::with_capacity(reasons.len());
    let (mut throttled, mut other) = (None, None);
    for reason in reasons {
        match reason.code() {
            None | Some("None") => checks.push(Check::Held),
            Some("ConditionalCheckFailed") => checks.push(Check::Failed(reason.item.clone())),
            Some("TransactionConflict") => {
                return Refusal::Conflict(Fault::new(CALL, "TransactionConflict"));
            }
            Some(code @ ("ThrottlingError" | "ProvisionedThroughputExceeded")) => {
                throttled = Some(Fault::with_code(CALL, code));
            }
            Some(code) => other = Some(Fault::with_code(CALL, code)),
        }
    }
    match (other, throttled) {
        (Some(fault), _) => Refusal::Unavailable(fault),
        (None, Some(fault)) => Refusal::Throttled(fault),
        (None, None) => Refusal::Condition(checks),
    }
}
