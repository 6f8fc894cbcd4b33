//! Records of artifacts, in memory.

use docferry_app::ports::{ArtifactStore, StoreError, WorkItem};
use docferry_domain::document::ArtifactRecord;
use docferry_domain::ids::ObjectGuid;
use jiff::Timestamp;

use super::{InMemoryTransferStore, StoredArtifact, Tables};

impl Tables {
    /// Marks an artifact as delivered, so that other transfers may reuse it.
    pub(super) fn offer(&mut self, key: &str) -> Result<(), StoreError> {
        let Some(known) = self.artifacts.get_mut(key) else { return Ok(()) };
        if known.given_up {
            return Err(StoreError::Unavailable("the artifact is being removed".into()));
        }
        if !known.delivered {
            known.delivered = true;
            let record = known.record.clone();
            self.newest.insert(record.object_guid.as_str().to_owned(), record);
        }
        Ok(())
    }

    /// Extends the retention of an artifact, unless it is being removed.
    fn retain(&mut self, key: &str, until: Timestamp) {
        let Some(known) = self.artifacts.get_mut(key).filter(|known| !known.given_up) else {
            return;
        };
        if known.retain_until < until {
            known.retain_until = until;
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
        let known = StoredArtifact {
            record: artifact.clone(),
            retain_until: artifact.retain_until,
            delivered: false,
            given_up: false,
        };
        tables.artifacts.insert(key.clone(), known);
        tables.due.insert(WorkItem::Artifact(key.clone()), artifact.retain_until);
        Ok(())
    }

    async fn find_artifact(
        &self,
        document: &ObjectGuid,
    ) -> Result<Option<ArtifactRecord>, StoreError> {
        Ok(self.tables().newest.get(document.as_str()).cloned())
    }

    async fn retain_artifact(&self, key: &str, until: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let is_reusable = |known: &StoredArtifact| known.delivered && !known.given_up;
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
        let keys = found.into_iter().filter_map(|(_, due)| match due {
            WorkItem::Artifact(key) => Some(key),
            WorkItem::Transfer(_) | WorkItem::Batch(_) => None,
        });
        Ok(keys.take(limit).collect())
    }

    async fn withdraw_artifact(&self, key: &str) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(known) = tables.artifacts.get_mut(key) else { return Ok(true) };
        known.given_up |= !known.delivered;
        Ok(known.given_up)
    }

    async fn expire_artifact(&self, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(known) = tables.artifacts.get_mut(key) else { return Ok(true) };
        known.given_up |= known.retain_until <= now;
        let (given_up, until) = (known.given_up, known.retain_until);
        if !given_up {
            tables.due.insert(WorkItem::Artifact(key.to_owned()), until);
        }
        Ok(given_up)
    }

    async fn delete_artifact_record(&self, key: &str) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.artifacts.remove(key);
        tables.due.remove(&WorkItem::Artifact(key.to_owned()));
        Ok(())
    }
}
