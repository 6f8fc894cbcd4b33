//! Ports of the delivery bucket, which holds the objects that callers download.
//!
//! [`Artifacts`] is the bucket itself. [`ArtifactStore`] holds one record for each object. An
//! *artifact* is an object together with its record. The life of an artifact:
//!
//! 1. A transfer copies the document into the bucket and records the artifact
//!    ([`ArtifactStore::put_artifact`]).
//! 2. The transfer records its delivery
//!    ([`UploadStore::record_delivery`](super::UploadStore::record_delivery)). The artifact is then
//!    *delivered*, and other transfers of the same document can reuse it.
//! 3. Each transfer that uses the artifact extends its *retention*, the time until which the
//!    artifact is retained.
//! 4. After the retention, the *sweeper* (the background repair that runs every minute) removes the
//!    object and then the record. The removal cannot be undone once it has begun.

use std::future::Future;

use bytes::Bytes;
use docferry_domain::document::{ArtifactRecord, Crc32};
use docferry_domain::ids::ObjectGuid;
use jiff::Timestamp;

use super::{Cause, StoreError};

/// Failure of a call to the delivery bucket. Variants differ in how the caller has to react.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The bucket did not respond or reported a server error. Repeat the call.
    #[error("the delivery bucket did not answer")]
    Unavailable(#[source] Cause),
    /// The multipart upload was completed, aborted or has expired. Check whether the object
    /// exists.
    #[error("the multipart upload is over")]
    UploadGone,
    /// The stored bytes do not have the expected checksum, so no object was created. Abort
    /// the upload and copy all parts again.
    #[error("the stored bytes have another checksum")]
    Corrupt,
}

/// A part of a multipart upload that the bucket has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// Part number, from 1.
    pub number: u32,
    /// Size in bytes.
    pub size: u64,
    /// ETag of the part, which is required to complete the upload.
    pub etag: String,
    /// Checksum of the part, which is also required to complete the upload. `None` if the bucket
    /// reports none.
    pub crc32: Option<Crc32>,
}

/// Checksum that the bucket verifies when a multipart upload is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// The checksum of the whole object. The bucket refuses the object if it differs.
    WholeObject,
    /// The checksums of the parts alone. This is so for uploads that older versions began, and for
    /// most emulators of S3.
    PartsOnly,
}

/// Size and checksum that a whole object must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectChecksum {
    /// Size in bytes.
    pub size: u64,
    /// Checksum of all bytes.
    pub crc32: Crc32,
}

/// A multipart upload in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    /// Upload id that the bucket assigned.
    pub id: String,
    /// Checksum that the bucket verifies when the upload is completed.
    pub verification: Verification,
    /// Stored parts, ordered by number.
    pub parts: Vec<StoredPart>,
}

/// The delivery bucket, owned by docferry, from which callers fetch documents.
///
/// Multipart uploads in progress can be listed by the key of their object. An upload can therefore
/// be found even if the response that contained its id was lost.
pub trait Artifacts: Send + Sync {
    /// Writes a small object with a single PUT. The bucket verifies the bytes against `crc32`.
    fn put(
        &self,
        key: &str,
        mime: Option<&str>,
        bytes: Bytes,
        crc32: Crc32,
    ) -> impl Future<Output = Result<(), ArtifactError>> + Send;

    /// Returns the oldest multipart upload in progress for this key, if any.
    fn open_upload(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<OpenUpload>, ArtifactError>> + Send;

    /// Begins a multipart upload. It asks the bucket to verify the checksum of the whole object;
    /// [`OpenUpload::verification`] says whether the bucket does that.
    fn begin(
        &self,
        key: &str,
        mime: Option<&str>,
    ) -> impl Future<Output = Result<OpenUpload, ArtifactError>> + Send;

    /// Stores a part. The bucket verifies the part against `crc32`. The call can be repeated.
    fn put_part(
        &self,
        key: &str,
        upload_id: &str,
        number: u32,
        bytes: Bytes,
        crc32: Crc32,
    ) -> impl Future<Output = Result<StoredPart, ArtifactError>> + Send;

    /// Completes a multipart upload: creates the object from its parts, atomically. With `whole`,
    /// the bucket creates no object if its size or checksum differs. `whole` must be `None` for an
    /// upload with [`Verification::PartsOnly`].
    fn complete(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[StoredPart],
        whole: Option<ObjectChecksum>,
    ) -> impl Future<Output = Result<(), ArtifactError>> + Send;

    /// Aborts every multipart upload of this key and discards the stored parts.
    fn abort(&self, key: &str) -> impl Future<Output = Result<(), ArtifactError>> + Send;

    /// Returns the size of the object; `None` when it does not exist.
    fn stored_size(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<u64>, ArtifactError>> + Send;

    /// Deletes the object. Succeeds also if the object does not exist.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), ArtifactError>> + Send;
}

/// Records of the objects in the delivery bucket.
///
/// A retention never decreases. The time of the sweeper's next check is a separate value, and
/// rescheduling the check does not change the retention.
///
/// Three calls begin the removal of an artifact, each on another condition. After such a call, the
/// artifact can be neither delivered nor retained.
///
/// | call | condition |
/// |---|---|
/// | [`ArtifactStore::withdraw_artifact`] | the artifact was never delivered |
/// | [`ArtifactStore::expire_artifact`] | the retention of the artifact is over |
/// | [`ArtifactStore::give_up_artifact`] | none |
pub trait ArtifactStore: Send + Sync {
    /// Records an artifact before its delivery, with a retention until
    /// [`ArtifactRecord::retain_until`]. A repeated call can only extend the retention. Does
    /// nothing for an artifact that is being removed.
    fn put_artifact(
        &self,
        artifact: &ArtifactRecord,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the newest delivered artifact of a document, if any. Its removal may have begun.
    fn find_artifact(
        &self,
        document: &ObjectGuid,
    ) -> impl Future<Output = Result<Option<ArtifactRecord>, StoreError>> + Send;

    /// Returns the keys of all artifacts of a document that [`ArtifactStore::put_artifact`] has
    /// recorded. Some of them may have been removed.
    fn artifacts_of(
        &self,
        document: &ObjectGuid,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Begins the removal of an artifact, even if its retention is not over. Returns whether the
    /// artifact exists. The call can be repeated.
    fn give_up_artifact(&self, key: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Extends the retention of a delivered artifact to at least `until`.
    ///
    /// Returns `false` if the artifact is not delivered yet, is being removed or was removed. The
    /// caller must then not use the artifact.
    fn retain_artifact(
        &self,
        key: &str,
        until: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Begins the removal of an artifact that was never delivered.
    ///
    /// Returns `false` and changes nothing if the artifact was delivered, because other transfers
    /// may reuse it. Returns `true` if the artifact is unknown or already being removed.
    fn withdraw_artifact(&self, key: &str)
    -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Returns the keys of at most `limit` artifacts that the sweeper has to check by `now`. The
    /// artifact that is due for the longest time comes first. The index is eventually consistent.
    fn expired_artifacts(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Begins the removal of an artifact if its retention is over at `now`.
    ///
    /// Returns `false` if the retention is not over. The call then reschedules the sweeper's check
    /// to the end of the retention. Returns `true` if the artifact is unknown or already being
    /// removed.
    fn expire_artifact(
        &self,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Deletes the record of an artifact. Call this after the object was deleted.
    fn delete_artifact_record(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
