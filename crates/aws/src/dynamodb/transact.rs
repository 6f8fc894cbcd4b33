//! Transactions on the table, and the actions that they are made of.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Delete, Put,
    ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update,
};
use backon::Retryable as _;
use docferry_app::ports::StoreError;

use crate::Fault;

use super::change::Change;
use super::items::Item;
use super::table::{Refusal, Table, is_conflict, patience};

const CALL: &str = "DynamoDB TransactWriteItems";

/// How the condition of one action in a transaction went.
#[derive(Debug)]
pub(super) enum Check {
    /// It held, or there was none.
    Held,
    /// It failed; with the item as it stood.
    Failed(Option<Item>),
}

impl Table {
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
                _ => Refusal::of(CALL, &error),
            })
        };
        once.retry(patience()).when(is_conflict).await
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

fn unbuilt() -> StoreError {
    let fault = Fault::new(CALL, "the request could not be built");
    StoreError::Unavailable(Box::new(fault))
}

/// Reads the reasons of a canceled transaction. A condition may have failed only
/// because the rest is in conflict or throttled, so those go first.
fn judge(reasons: &[CancellationReason]) -> Refusal<Vec<Check>> {
    let mut checks = Vec::with_capacity(reasons.len());
    let mut other = None;
    for reason in reasons {
        match reason.code() {
            None | Some("None") => checks.push(Check::Held),
            Some("ConditionalCheckFailed") => checks.push(Check::Failed(reason.item.clone())),
            Some("TransactionConflict") => {
                return Refusal::Conflict(Fault::new(CALL, "TransactionConflict"));
            }
            Some(code) => other = Some(Fault::with_code(CALL, code)),
        }
    }
    other.map_or(Refusal::Condition(checks), Refusal::Unavailable)
}
