//! Records of artifacts in DynamoDB. An *artifact* is an object in the delivery bucket, which
//! callers download. Its *retention* is the time for which the object is kept. The sweeper removes
//! an artifact whose retention is over.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `A#{key}` | `ARTIFACT` | one artifact |
//! | `D#{guid}` | `NEWEST` | the newest delivered artifact of a document, for its reuse |
//! | `D#{guid}` | `COPY#{key}` | the list of all artifacts of a document, for its withdrawal |
//!
//! Older versions of docferry wrote no list. Of their artifacts, only the newest one of a document
//! is found.
//!
//! | attribute of `A#{key}` | meaning |
//! |---|---|
//! | `retainUntil` | end of the retention, milliseconds since 1970; it never decreases |
//! | `dueAt` | time of the sweeper's next check, milliseconds since 1970 |
//! | `delivered` | whether the delivery of the artifact is recorded, which allows its reuse |
//! | `givenUp` | present after the removal of the artifact has begun |
//!
//! Items of older versions have neither `retainUntil` nor `delivered`. Their `dueAt` is also the
//! end of the retention, and the artifact may always be reused.
//!
//! If DynamoDB rejects a write because a condition does not hold, `WriteFailure::current_item`
//! returns the current item. For any other failure, it returns an error.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use docferry_app::ports::{ArtifactStore, StoreError, WorkItem};
use docferry_domain::document::ArtifactRecord;
use docferry_domain::ids::ObjectGuid;
use jiff::{SignedDuration, Timestamp};

use super::DynamoTransferStore;
use super::conditional_update::{ConditionalUpdate, number, string};
use super::items::{corrupt, ttl, whole_item};
use super::keys::{Item, artifact_key, artifact_list, artifact_list_key, newest_artifact_key};
use super::table::Table;
use super::unfinished_index::{ARTIFACTS_SHARD, DUE, indexed, parse_work_item};

/// Time after the end of the retention at which TTL removes the record. Normally, the sweeper
/// removes the object and the record much earlier.
const TTL_DELAY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Maximum number of listed artifacts of one document. Normally, a document is copied at most every
/// 12 hours, because transfers reuse a copy. Transfers that run at the same time may each copy it.
const MAX_LISTED: usize = 10_000;

/// Attribute with the end of the retention.
const RETAIN: &str = "retainUntil";

/// Attribute that says whether the delivery of the artifact is recorded.
const DELIVERED: &str = "delivered";

/// Attribute that is present after the removal of the artifact has begun.
const GIVEN_UP: &str = "givenUp";

fn read_artifact(item: Item) -> Result<ArtifactRecord, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("artifact"))
}

fn is_given_up(item: &Item) -> bool {
    item.contains_key(GIVEN_UP)
}

/// Returns whether the artifact may be reused. Items of older versions have no such attribute
/// and may always be reused.
pub(super) fn is_delivered(item: &Item) -> bool {
    item.get(DELIVERED) != Some(&AttributeValue::Bool(false))
}

/// Returns the change that extends the retention to `until`. Its conditions are that the retention
/// ends earlier and that the removal has not begun.
fn extended_retention(until: Timestamp) -> ConditionalUpdate {
    let until = number(until.as_millisecond());
    ConditionalUpdate::default()
        .when(format!("attribute_exists(pk) AND attribute_not_exists(#{GIVEN_UP})"))
        .when(format!(
            "#{RETAIN} < :{RETAIN} OR (attribute_not_exists(#{RETAIN}) AND #{DUE} < :{DUE})"
        ))
        .set(RETAIN, until.clone())
        .set(DUE, until)
}

/// Returns the change that sets the time of the sweeper's next check. In items of older versions,
/// `dueAt` is also the end of the retention, so the change first copies it to `retainUntil`.
pub(super) fn rescheduled(due: Timestamp) -> ConditionalUpdate {
    ConditionalUpdate::default()
        .set_from(RETAIN, &format!("if_not_exists(#{RETAIN}, #{DUE})"))
        .set(DUE, number(due.as_millisecond()))
}

/// Returns the actions that offer an artifact for reuse. The transaction that records the delivery
/// of the artifact must contain both. Returns `None` if the artifact is unknown or already offered.
///
/// 1. The first action sets `delivered`. It fails if the artifact is already offered, or if its
///    removal has begun.
/// 2. The second action makes the artifact the newest one of its document.
pub(super) async fn offer_actions(
    table: &Table,
    key: &str,
) -> Result<Option<[TransactWriteItem; 2]>, StoreError> {
    let item = table.get(artifact_key(key)).await?;
    let Some(item) = item.filter(|item| !is_delivered(item)) else { return Ok(None) };
    let artifact = read_artifact(item)?;
    let expires_at =
        artifact.retain_until.saturating_add(TTL_DELAY).unwrap_or(artifact.retain_until);
    let mut newest_item =
        whole_item(&artifact, newest_artifact_key(&artifact.object_guid), "artifact")?;
    newest_item.insert("expiresAt".into(), ttl(expires_at));
    let offered = ConditionalUpdate::default()
        .when(format!("#{DELIVERED} = :false AND attribute_not_exists(#{GIVEN_UP})"))
        .value("false", AttributeValue::Bool(false))
        .set(DELIVERED, AttributeValue::Bool(true));
    Ok(Some([table.update_action(artifact_key(key), offered)?, table.put_action(newest_item)?]))
}

impl ArtifactStore for DynamoTransferStore {
    async fn put_artifact(&self, artifact: &ArtifactRecord) -> Result<(), StoreError> {
        let table = &self.table;
        let until = artifact.retain_until;
        let item = whole_item(artifact, artifact_key(&artifact.key), "artifact")?;
        let mut item = indexed(item, ARTIFACTS_SHARD, until);
        item.insert(RETAIN.into(), number(until.as_millisecond()));
        item.insert(DELIVERED.into(), AttributeValue::Bool(false));
        // The list entry is written first, so that every recorded artifact is listed.
        let entry = ConditionalUpdate::default()
            .set("key", string(&artifact.key))
            .set("expiresAt", ttl(until.saturating_add(TTL_DELAY).unwrap_or(until)));
        let entry_key = artifact_list_key(&artifact.object_guid, &artifact.key);
        if let Err(failure) = table.update(entry_key, entry).await {
            failure.current_item()?;
        }
        let Err(failure) = table.insert(item).await else { return Ok(()) };
        failure.current_item()?;
        // The artifact is already recorded, so only its retention is extended.
        match table.update(artifact_key(&artifact.key), extended_retention(until)).await {
            Ok(_) => Ok(()),
            Err(failure) => failure.current_item().map(drop),
        }
    }

    async fn find_artifact(
        &self,
        document: &ObjectGuid,
    ) -> Result<Option<ArtifactRecord>, StoreError> {
        self.table.get(newest_artifact_key(document)).await?.map(read_artifact).transpose()
    }

    async fn artifacts_of(&self, document: &ObjectGuid) -> Result<Vec<String>, StoreError> {
        let (pk, first, last) = artifact_list(document);
        let entries = self.table.range(pk, first, last, MAX_LISTED).await?;
        let listed_key = |entry: &Item| Some(entry.get("key")?.as_s().ok()?.clone());
        let mut keys: Vec<String> = entries.iter().filter_map(listed_key).collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    async fn give_up_artifact(&self, key: &str) -> Result<bool, StoreError> {
        let given_up = ConditionalUpdate::default()
            .when("attribute_exists(pk)")
            .set(GIVEN_UP, AttributeValue::Bool(true));
        match self.table.update(artifact_key(key), given_up).await {
            Ok(_) => Ok(true),
            Err(failure) => failure.current_item().map(|_| false),
        }
    }

    async fn retain_artifact(&self, key: &str, until: Timestamp) -> Result<bool, StoreError> {
        let extended = extended_retention(until)
            .when(format!("attribute_not_exists(#{DELIVERED}) OR #{DELIVERED} = :true"))
            .value("true", AttributeValue::Bool(true));
        match self.table.update(artifact_key(key), extended).await {
            Ok(_) => Ok(true),
            // The artifact is usable if it is delivered and its removal has not begun. In that
            // case, the write failed because the retention already ends later.
            Err(failure) => Ok(failure
                .current_item()?
                .is_some_and(|item| is_delivered(&item) && !is_given_up(&item))),
        }
    }

    async fn expired_artifacts(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let due_items = self.table.due(ARTIFACTS_SHARD, now.as_millisecond(), limit).await?;
        let keys = due_items.iter().filter_map(|(_, key)| match parse_work_item(key)? {
            WorkItem::Artifact(key) => Some(key),
            WorkItem::Transfer(_) | WorkItem::Batch(_) => None,
        });
        Ok(keys.collect())
    }

    async fn withdraw_artifact(&self, key: &str) -> Result<bool, StoreError> {
        let withdrawn = ConditionalUpdate::default()
            .when(format!("#{DELIVERED} = :false"))
            .value("false", AttributeValue::Bool(false))
            .set(GIVEN_UP, AttributeValue::Bool(true));
        match self.table.update(artifact_key(key), withdrawn).await {
            Ok(_) => Ok(true),
            Err(failure) => Ok(failure.current_item()?.is_none_or(|item| is_given_up(&item))),
        }
    }

    async fn expire_artifact(&self, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        let table = &self.table;
        let given_up = ConditionalUpdate::default()
            .when(format!(
                "#{RETAIN} <= :now OR (attribute_not_exists(#{RETAIN}) AND #{DUE} <= :now)"
            ))
            .value("now", number(now.as_millisecond()))
            .set(GIVEN_UP, AttributeValue::Bool(true));
        let Err(failure) = table.update(artifact_key(key), given_up).await else { return Ok(true) };
        let Some(item) = failure.current_item()?.filter(|item| !is_given_up(item)) else {
            return Ok(true);
        };
        // The retention has not ended, so the next check is at its end. In an item without
        // `retainUntil`, `dueAt` already is the end of the retention.
        if let Some(until) = item.get(RETAIN) {
            let rescheduled = ConditionalUpdate::default()
                .when(format!("#{RETAIN} = :until"))
                .value("until", until.clone())
                .set(DUE, until.clone());
            if let Err(failure) = table.update(artifact_key(key), rescheduled).await {
                failure.current_item()?;
            }
        }
        Ok(false)
    }

    async fn delete_artifact_record(&self, key: &str) -> Result<(), StoreError> {
        let table = &self.table;
        match table.delete(artifact_key(key), ConditionalUpdate::default()).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.current_item(),
        }
    }
}
