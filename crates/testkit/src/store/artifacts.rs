//! Records of the delivery bucket, in memory.

use docferry_app::ports::{ArtifactStore, Due, StoreError};
use docferry_domain::{ArtifactRecord, ObjectGuid};
use jiff::Timestamp;

use super::InMemoryTransferStore;

/// An object of the delivery bucket, as it is known.
#[derive(Debug, Clone)]
pub(super) struct KnownArtifact {
    record: ArtifactRecord,
    given_up: bool,
}

impl ArtifactStore for InMemoryTransferStore {
    async fn put_artifact(&self, artifact: &ArtifactRecord) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let known = KnownArtifact { record: artifact.clone(), given_up: false };
        tables.artifacts.insert(artifact.key.clone(), known);
        tables.newest.insert(artifact.object_guid.as_str().to_owned(), artifact.clone());
        tables.due.insert(Due::Artifact(artifact.key.clone()), artifact.keep_until);
        Ok(())
    }

    async fn find_artifact(
        &self,
        document: &ObjectGuid,
    ) -> Result<Option<ArtifactRecord>, StoreError> {
        Ok(self.tables().newest.get(document.as_str()).cloned())
    }

    async fn keep_artifact(&self, key: &str, until: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(known) = tables.artifacts.get_mut(key).filter(|known| !known.given_up) else {
            return Ok(false);
        };
        known.record.keep_until = known.record.keep_until.max(until);
        let due = known.record.keep_until;
        tables.due.insert(Due::Artifact(key.to_owned()), due);
        Ok(true)
    }

    async fn give_up_artifact(&self, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(known) = tables.artifacts.get_mut(key) else { return Ok(true) };
        known.given_up |= known.record.keep_until <= now;
        Ok(known.given_up)
    }

    async fn forget_artifact(&self, key: &str) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.artifacts.remove(key);
        tables.due.remove(&Due::Artifact(key.to_owned()));
        Ok(())
    }
}
