//! Idempotency records, which are written in the transaction that records their job.

use aws_sdk_dynamodb::types::TransactWriteItem;
use docferry_app::ports::{CreateResult, StoreError};
use docferry_domain::job::IdempotencyRecord;
use jiff::Timestamp;

use super::conditional_update::{ConditionalUpdate, number};
use super::items::{Item, corrupt, request_key, ttl, whole_item};
use super::table::{ConditionResult, Table};

/// Returns a transaction action that writes an idempotency record, for the transaction that
/// records its job. An expired record with the same key is replaced: TTL may delete it days
/// after its expiry.
pub(super) fn idempotency_action(
    table: &Table,
    request: &IdempotencyRecord,
    now: Timestamp,
) -> Result<TransactWriteItem, StoreError> {
    let mut item = whole_item(request, request_key(&request.key), "request")?;
    item.insert("expiresAt".into(), ttl(request.retain_until));
    let free = ConditionalUpdate::default()
        .when("attribute_not_exists(pk) OR #expiresAt <= :now")
        .value("now", number(now.as_second()));
    table.put_action_when(item, free)
}

/// Interprets the result of the action from [`idempotency_action`]: returns the existing record of an
/// earlier request, or `None` if there is none or our own first attempt wrote it.
pub(super) fn existing_request(
    check: Option<ConditionResult>,
    ours: &IdempotencyRecord,
) -> Result<Option<IdempotencyRecord>, StoreError> {
    let Some(ConditionResult::Failed(Some(item))) = check else { return Ok(None) };
    Ok(Some(read_request(item)?).filter(|existing| existing.job_id != ours.job_id))
}

pub(super) fn read_request(item: Item) -> Result<IdempotencyRecord, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("request"))
}

/// Converts the existing idempotency record, if there is one, into the result of a creation.
pub(super) fn create_result(before: Option<IdempotencyRecord>) -> CreateResult {
    before.map_or(CreateResult::Done, CreateResult::AlreadyExists)
}
