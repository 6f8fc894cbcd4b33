use std::future::Future;

use bytes::Bytes;
use docferry_domain::{ArtifactRecord, ObjectGuid};
use jiff::Timestamp;

use super::{Cause, StoreError};

/// Why the delivery bucket did not do it, by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// No answer or a server error: do it again.
    #[error("the delivery bucket did not answer")]
    Unavailable(#[source] Cause),
    /// The multipart upload is over: completed, aborted or expired. Look whether the
    /// object is there.
    #[error("the multipart upload is over")]
    UploadGone,
}

/// A part that the bucket has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// From 1.
    pub number: u32,
    /// In bytes.
    pub size: u64,
    /// Its tag, which completing asks for.
    pub etag: String,
    /// Its checksum as the store wrote it, which completing asks for as well; `None` where
    /// the store reports none.
    pub checksum: Option<String>,
}

/// A multipart upload that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    /// The bucket's id of it.
    pub id: String,
    /// What is stored of it, in the order of the numbers.
    pub parts: Vec<StoredPart>,
}

/// The delivery bucket: ours, where documents lie until they are fetched.
///
/// Whoever writes knows no more than the key: uploads that are under way are found
/// by it, so that no answer that gets lost leaves one behind for ever.
pub trait Artifacts: Send + Sync {
    /// Writes a small object in one go.
    fn put(
        &self,
        key: &str,
        mime: Option<&str>,
        bytes: Bytes,
    ) -> impl Future<Output = Result<(), ArtifactError>> + Send;

    /// The oldest multipart upload of this key that is under way, if any.
    fn open_upload(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<OpenUpload>, ArtifactError>> + Send;

    /// Begins a multipart upload; returns its id.
    fn begin(
        &self,
        key: &str,
        mime: Option<&str>,
    ) -> impl Future<Output = Result<String, ArtifactError>> + Send;

    /// Stores a part, or stores it again. The bucket checks it against the checksum
    /// that is sent with it.
    fn put_part(
        &self,
        key: &str,
        upload: &str,
        number: u32,
        bytes: Bytes,
    ) -> impl Future<Output = Result<StoredPart, ArtifactError>> + Send;

    /// Makes the object of its parts; all or nothing.
    fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: &[StoredPart],
    ) -> impl Future<Output = Result<(), ArtifactError>> + Send;

    /// Ends every multipart upload of this key, with what it has stored.
    fn abort(&self, key: &str) -> impl Future<Output = Result<(), ArtifactError>> + Send;

    /// Size of the object; `None` when there is none.
    fn stored_size(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<u64>, ArtifactError>> + Send;

    /// Deletes the object; one that is gone counts as deleted.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), ArtifactError>> + Send;
}

/// The records of objects in the delivery bucket.
///
/// [`TransferStore::record_delivery`](super::TransferStore::record_delivery) offers an
/// artifact for reuse; until then only its own transfer knows it. The retention of an
/// artifact and the time of the sweeper's next look at it are separate values:
/// rescheduling changes no retention, and a retention never decreases.
pub trait ArtifactStore: Send + Sync {
    /// Records an object that its transfer has not delivered yet, retained until
    /// [`ArtifactRecord::keep_until`] at least. Repeating the call never shortens the
    /// retention, and revives no artifact that is being removed.
    fn put_artifact(
        &self,
        artifact: &ArtifactRecord,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The newest delivered artifact of a document, if any. Its removal may have begun.
    fn find_artifact(
        &self,
        document: &ObjectGuid,
    ) -> impl Future<Output = Result<Option<ArtifactRecord>, StoreError>> + Send;

    /// Retains a delivered artifact until `until` at least. `false` when it is not
    /// delivered yet, or is being removed, or has been: it cannot be relied on.
    fn keep_artifact(
        &self,
        key: &str,
        until: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Begins the removal of an artifact that was never delivered: from then on it can
    /// neither be delivered nor retained. `false` when it was delivered, because other
    /// transfers may have reused it and only its retention decides. One that is being
    /// removed already, or is unknown, may be removed.
    fn withdraw_artifact(&self, key: &str)
    -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Keys of artifacts whose next look is due before `now`: longest due first, at most
    /// `limit`. The index may lag.
    fn expired_artifacts(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Begins the removal of an artifact whose retention is over at `now`: from then on
    /// it can neither be delivered nor retained. `false` while it is retained longer; the
    /// sweeper's next look is at the end of the retention then. One that is being removed
    /// already, or is unknown, may be removed.
    fn give_up_artifact(
        &self,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The object is gone.
    fn forget_artifact(&self, key: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}
