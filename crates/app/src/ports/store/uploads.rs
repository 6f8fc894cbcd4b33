//! Port of the store for the progress of a delivery.
//!
//! Each invocation of `upload` or `publish` claims the transfer, which increments the transfer's
//! *epoch*. Writes of an invocation with an older epoch fail. An *upload session* is the drive's
//! resource for a large upload. Its URL is a secret, so it is stored *sealed* (encrypted).

use std::future::Future;

use docferry_domain::ids::TransferId;
use docferry_domain::transfer::{ArrivedObject, Delivery, Transfer};
use docferry_domain::upload::Checkpoint;
use jiff::Timestamp;

use crate::ports::{StoreError, WriteError};

/// Result of writing a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointAck {
    /// Whether the upload has to stop, because the owner has requested a cancel or because the
    /// transfer is being ended.
    pub stop: bool,
}

/// An encrypted upload URL, bound to its transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSession {
    /// The ciphertext.
    pub sealed_url: Vec<u8>,
    /// Time at which the session expires, if the drive reported it.
    pub expires_at: Option<Timestamp>,
}

/// A stored session and the invocation that stored it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The sealed URL.
    pub session: SealedSession,
    /// Epoch of the invocation that opened the session.
    pub epoch: u64,
}

/// Progress of a delivery: epoch, upload session, checkpoint, pause, and the delivery itself.
///
/// Every write is conditional and can be repeated, as in [`TransferStore`](super::TransferStore).
pub trait UploadStore: Send + Sync {
    /// Takes over the upload: increments the epoch, and returns the record with the new epoch.
    /// Older invocations fail at their next write.
    ///
    /// Fails with [`WriteError::Ended`] if the transfer is being ended.
    fn claim(
        &self,
        id: &TransferId,
        execution_number: u32,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Returns the stored session, if any.
    fn session(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<Option<SessionRecord>, StoreError>> + Send;

    /// Stores the session of the invocation that holds `epoch`, and replaces an earlier session.
    ///
    /// Fails if the transfer is being ended. After an error, the caller must delete the session
    /// that it opened at the drive.
    fn put_session(
        &self,
        id: &TransferId,
        epoch: u64,
        session: &SealedSession,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Deletes the record of the session that was stored at `epoch`. Does nothing if the stored
    /// session has another epoch.
    fn delete_session_record(
        &self,
        id: &TransferId,
        epoch: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Records that the object in the exchange bucket was written again. Later reads use its new
    /// `ETag`.
    fn replace_object(
        &self,
        id: &TransferId,
        epoch: u64,
        object: &ArrivedObject,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Stores the checkpoint. The stored number of delivered bytes (`bytes_done`) never decreases.
    fn checkpoint(
        &self,
        id: &TransferId,
        epoch: u64,
        checkpoint: &Checkpoint,
    ) -> impl Future<Output = Result<CheckpointAck, WriteError>> + Send;

    /// Records that the drive asked for a pause until `resume_at`.
    fn pause_until(
        &self,
        id: &TransferId,
        epoch: u64,
        resume_at: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records the verified delivery. The delivery of a download is an *artifact*, an object of the
    /// delivery bucket. Other transfers can reuse the artifact after this call.
    ///
    /// Fails with [`StoreError::Unavailable`] if the artifact is being removed.
    fn record_delivery(
        &self,
        id: &TransferId,
        epoch: u64,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
}
