//! Conditional writes and transactions. Conflicts and throttled transactions are retried.

use std::time::Duration;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem,
};
use backon::{ExponentialBuilder, Retryable as _};

use super::super::conditional_update::ConditionalUpdate;
use super::super::keys::Item;
use super::super::write_failure::{
    ConditionResult, WriteFailure, classify_cancellation, is_transient,
};
use super::Table;

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
    /// Writes a new item. Fails if an item with its key exists.
    pub(in crate::dynamodb) async fn insert(
        &self,
        item: Item,
    ) -> Result<(), WriteFailure<Option<Item>>> {
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
    pub(in crate::dynamodb) async fn update(
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
    pub(in crate::dynamodb) async fn delete(
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
    pub(in crate::dynamodb) async fn transact(
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
}
