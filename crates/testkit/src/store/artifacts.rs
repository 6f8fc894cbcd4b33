//! In-memory implementation of the port [`ArtifactStore`]: records of the objects in the delivery
//! bucket.

use docferry_app::ports::{ArtifactStore, StoreError, WorkItem};
use docferry_domain::document::ArtifactRecord;
use docferry_domain::ids::ObjectGuid;
use jiff::Timestamp;

use super::{InMemoryTransferStore, StoredArtifact, Tables};

impl Tables {
    /// Marks an artifact as delivered, so that other transfers may reuse it.
    pub(super) fn mark_delivered(&mut self, key: &str) -> Result<(), StoreError> {
        let Some(stored) = self.artifacts.get_mut(key) else { return Ok(()) };
        if stored.removal_begun {
            return Err(StoreError::Unavailable("the artifact is being removed".into()));
        }
        if !stored.delivered {
            stored.delivered = true;
            let record = stored.record.clone();
            self.newest.insert(record.object_guid.as_str().to_owned(), record);
        }
        Ok(())
    }

    /// Extends the retention of an artifact, unless it is being removed.
    fn retain(&mut self, key: &str, until: Timestamp) {
        let Some(stored) = self.artifacts.get_mut(key).filter(|stored| !stored.removal_begun)
        else {
            return;
        };
        if stored.retain_until < until {
            stored.retain_until = until;
            self.due.insert(WorkItem::Artifact(key.to_owned()), until);
        }
    }
}

impl ArtifactStore for InMemoryTransferStore {
    async fn put_artifact(&self, artifact: &ArtifactRecord) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let key = &artifact.key;
        if tables.artifacts.contains_key(key) {
            tables.retain(key, artifact.retain_until);
            return Ok(());
        }
        let stored = StoredArtifact {
            record: artifact.clone(),
            retain_until: artifact.retain_until,
            delivered: false,
            removal_begun: false,
        };
        tables.artifacts.insert(key.clone(), stored);
        tables.due.insert(WorkItem::Artifact(key.clone()), artifact.retain_until);
        Ok(())
    }

    async fn find_artifact(
        &self,
        document: &ObjectGuid,
    ) -> Result<Option<ArtifactRecord>, StoreError> {
        Ok(self.tables().newest.get(document.as_str()).cloned())
    }

    async fn artifacts_of(&self, document: &ObjectGuid) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        let is_of_document = |stored: &&StoredArtifact| stored.record.object_guid == *document;
        let found = tables.artifacts.values().filter(is_of_document);
        Ok(found.map(|stored| stored.record.key.clone()).collect())
    }

    async fn give_up_artifact(&self, key: &str) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(stored) = tables.artifacts.get_mut(key) else { return Ok(false) };
        stored.removal_begun = true;
        Ok(true)
    }

    async fn retain_artifact(&self, key: &str, until: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let is_reusable = |stored: &StoredArtifact| stored.delivered && !stored.removal_begun;
        if !tables.artifacts.get(key).is_some_and(is_reusable) {
            return Ok(false);
        }
        tables.retain(key, until);
        Ok(true)
    }

    async fn expired_artifacts(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let found = self.tables().due_before(now);
        let keys = found.into_iter().filter_map(|(_, item)| match item {
            WorkItem::Artifact(key) => Some(key),
            WorkItem::Transfer(_) | WorkItem::Batch(_) => None,
        });
        Ok(keys.take(limit).collect())
    }

    async fn withdraw_artifact(&self, key: &str) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(stored) = tables.artifacts.get_mut(key) else { return Ok(true) };
        stored.removal_begun |= !stored.delivered;
        Ok(stored.removal_begun)
    }

    async fn expire_artifact(&self, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(stored) = tables.artifacts.get_mut(key) else { return Ok(true) };
        stored.removal_begun |= stored.retain_until <= now;
        let (removal_begun, until) = (stored.removal_begun, stored.retain_until);
        if !removal_begun {
            tables.due.insert(WorkItem::Artifact(key.to_owned()), until);
        }
        Ok(removal_begun)
    }

    async fn delete_artifact_record(&self, key: &str) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.artifacts.remove(key);
        tables.due.remove(&WorkItem::Artifact(key.to_owned()));
        Ok(())
    }
}
