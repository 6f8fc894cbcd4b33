//! Idempotency records in DynamoDB.
//!
//! An idempotency record stores which job a request has created. The transaction that creates the
//! job also writes the record, so that a repeated request finds the record and creates no second
//! job.

use aws_sdk_dynamodb::types::TransactWriteItem;
use docferry_app::ports::{CreateResult, StoreError};
use docferry_domain::job::IdempotencyRecord;
use jiff::Timestamp;

use super::conditional_update::{ConditionalUpdate, number};
use super::items::{corrupt, ttl, whole_item};
use super::keys::{Item, request_key};
use super::table::Table;
use super::write_failure::ConditionResult;

/// Returns a transaction action that writes an idempotency record. The transaction that creates the
/// job must contain this action.
///
/// The action fails if an unexpired record with the same key exists. It replaces an expired record,
/// because TTL may delete expired items days after their expiry.
pub(super) fn idempotency_action(
    table: &Table,
    request: &IdempotencyRecord,
    now: Timestamp,
) -> Result<TransactWriteItem, StoreError> {
    let mut item = whole_item(request, request_key(&request.key), "request")?;
    item.insert("expiresAt".into(), ttl(request.retain_until));
    let no_valid_record = ConditionalUpdate::default()
        .when("attribute_not_exists(pk) OR #expiresAt <= :now")
        .value("now", number(now.as_second()));
    table.put_action_when(item, no_valid_record)
}

/// Interprets the result of the action from [`idempotency_action`]. Returns the record of an
/// earlier request, if there is one. Ignores a record of the same job, because the first attempt of
/// this same write has stored that record.
pub(super) fn existing_request(
    check: Option<ConditionResult>,
    own: &IdempotencyRecord,
) -> Result<Option<IdempotencyRecord>, StoreError> {
    let Some(ConditionResult::Failed(Some(item))) = check else { return Ok(None) };
    Ok(Some(read_request(item)?).filter(|existing| existing.job_id != own.job_id))
}

pub(super) fn read_request(item: Item) -> Result<IdempotencyRecord, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("request"))
}

/// Returns the result of a creation. `existing` is the record of an earlier request with the same
/// key, if there is one.
pub(super) fn create_result(existing: Option<IdempotencyRecord>) -> CreateResult {
    existing.map_or(CreateResult::Done, CreateResult::AlreadyExists)
}
