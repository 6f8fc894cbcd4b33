//! Actions of a transaction, which [`Table::transact`] executes.

use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure as OnFailure,
    TransactWriteItem, Update,
};
use docferry_app::ports::StoreError;

use super::super::conditional_update::ConditionalUpdate;
use super::super::keys::Item;
use super::Table;
use crate::Fault;

impl Table {
    /// Returns a transaction action that updates an item.
    pub(in crate::dynamodb) fn update_action(
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
    pub(in crate::dynamodb) fn check_action(
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
    pub(in crate::dynamodb) fn put_action(
        &self,
        item: Item,
    ) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.name).set_item(Some(item)).build();
        Ok(TransactWriteItem::builder().put(put.map_err(|_| invalid_request())?).build())
    }

    /// Returns a transaction action that writes a new item. The transaction fails if an item with
    /// its key exists.
    pub(in crate::dynamodb) fn insert_action(
        &self,
        item: Item,
    ) -> Result<TransactWriteItem, StoreError> {
        self.put_action_when(item, ConditionalUpdate::default().when("attribute_not_exists(pk)"))
    }

    /// Returns a transaction action that writes a whole item if the conditions of `change` hold.
    pub(in crate::dynamodb) fn put_action_when(
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
    pub(in crate::dynamodb) fn delete_action(
        &self,
        key: Item,
    ) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.name).set_key(Some(key)).build();
        Ok(TransactWriteItem::builder().delete(delete.map_err(|_| invalid_request())?).build())
    }
}

/// Error for a request that lacks a required field.
fn invalid_request() -> StoreError {
    let fault = Fault::new("DynamoDB TransactWriteItems", "the request could not be built");
    StoreError::Unavailable(Box::new(fault))
}
