//! What lies in the delivery bucket: `A#{key}` while it does, and for each document
//! `D#{guid}`, the newest of them.

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{ArtifactStore, StoreError};
use docferry_domain::{ArtifactRecord, ObjectGuid};
use jiff::{SignedDuration, Timestamp};

use super::DynamoTransferStore;
use super::change::{Change, number};
use super::items::{
    ARTIFACTS_SHARD, DUE, Item, artifact_key, corrupt, document_key, indexed, ttl, whole_item,
};

/// How much longer than it is kept the record of an object may rest. `sweep` removes
/// both long before.
const REST: SignedDuration = SignedDuration::from_hours(7 * 24);

impl ArtifactStore for DynamoTransferStore {
    async fn put_artifact(&self, artifact: &ArtifactRecord) -> Result<(), StoreError> {
        let table = &self.table;
        let rests_until = artifact.keep_until.saturating_add(REST).unwrap_or(artifact.keep_until);
        let mut newest = whole_item(artifact, document_key(&artifact.object_guid), "artifact")?;
        newest.insert("expiresAt".into(), ttl(rests_until));
        let item = whole_item(artifact, artifact_key(&artifact.key), "artifact")?;
        let item = indexed(item, ARTIFACTS_SHARD, artifact.keep_until);
        // Both again when the answer was lost: nothing else writes the one before this call
        // has ended, and the other is the newest in any case.
        match table.transact(&[table.putting(item)?, table.putting(newest)?]).await {
            Ok(()) => Ok(()),
            Err(refusal) => refusal.stood().map(drop),
        }
    }

    async fn find_artifact(
        &self,
        document: &ObjectGuid,
    ) -> Result<Option<ArtifactRecord>, StoreError> {
        let table = &self.table;
        let read = |item: Item| {
            serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("artifact"))
        };
        table.get(document_key(document)).await?.map(read).transpose()
    }

    async fn keep_artifact(&self, key: &str, until: Timestamp) -> Result<bool, StoreError> {
        let table = &self.table;
        let due = until.as_millisecond();
        let kept = Change::default()
            .when("attribute_exists(pk) AND attribute_not_exists(#givenUp)")
            .when(format!("#{DUE} < :{DUE}"))
            .set(DUE, number(due));
        match table.update(artifact_key(key), kept).await {
            Ok(_) => Ok(true),
            // There and not given up: it is kept longer than that already.
            Err(refusal) => Ok(refusal.stood()?.is_some_and(|item| !item.contains_key("givenUp"))),
        }
    }

    async fn give_up_artifact(&self, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        let table = &self.table;
        let given_up = Change::default()
            .when(format!("attribute_exists(pk) AND #{DUE} <= :now"))
            .value("now", number(now.as_millisecond()))
            .set("givenUp", AttributeValue::Bool(true));
        match table.update(artifact_key(key), given_up).await {
            Ok(_) => Ok(true),
            Err(refusal) => Ok(refusal.stood()?.is_none_or(|item| item.contains_key("givenUp"))),
        }
    }

    async fn forget_artifact(&self, key: &str) -> Result<(), StoreError> {
        let table = &self.table;
        match table.delete(artifact_key(key), Change::default()).await {
            Ok(()) => Ok(()),
            Err(refusal) => refusal.stood(),
        }
    }
}
