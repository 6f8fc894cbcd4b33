//! Step `publish` of a download: copies a document from the exchange bucket into the delivery
//! bucket, from which callers fetch it by a presigned URL. The workflow of a transfer runs the step
//! after the document has arrived in the exchange bucket.
//!
//! The copy in the delivery bucket is an *artifact*. An *invocation* is one call of the Lambda
//! function, and its *epoch* is the number by which the store recognizes its writes.
//!
//! A large document is copied with an S3 multipart upload, whose parts may be stored in any order
//! and repeatedly. The step therefore copies several parts in parallel. If one invocation of the
//! Lambda function does not suffice, the next invocation lists the stored parts and copies the
//! missing parts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use docferry_domain::document::{Artifact, ArtifactRecord, Crc32, SourceHash};
use docferry_domain::failure::FailureCode;
use docferry_domain::transfer::{ArrivedObject, Transfer};
use docferry_domain::upload::Throughput;
use docferry_domain::upload::{Checkpoint, UploadCounters};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::delivery::artifact::{artifact_key, discard, has_delivered, reusable_artifact};
use crate::delivery::upload::{Progress, SourceObject, is_contested, may_be_other_document};
use crate::document::ensure_not_withdrawn;
use crate::ports::{
    ArtifactError, ArtifactStore as _, Artifacts as _, Clock, ExchangeError, ExchangeStore,
    ObjectChecksum, OpenUpload, PublishAdapters, StoredPart, TransferStore, UploadStore as _,
    Verification,
};
use crate::task::ensure_active;
use crate::{TaskError, TaskInput};

/// Maximum number of parts in a multipart upload. Source:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const MAX_PARTS: u64 = 10_000;

/// Time that an invocation has to return after it has abandoned a copy.
const RETURN_TIME: Duration = Duration::from_secs(2);

/// Minimum time for a copy.
const SHORTEST_COPY: Duration = Duration::from_secs(1);

/// Limits of one invocation of the step.
#[derive(Debug, Clone, Copy)]
pub struct PublishSettings {
    /// Size of a part in bytes, at least 5 MiB. A document that is not larger is written with a
    /// single PUT. If a document would need more than 10,000 parts, its parts are larger.
    pub part_bytes: u64,
    /// Number of parts copied in parallel, each of which is held in memory.
    pub parallel_parts: usize,
    /// Safety margin: the invocation returns this long before its deadline.
    pub margin: Duration,
}

/// Ports and limits of [`publish`].
#[derive(Debug)]
pub struct PublishPorts<'a, P: PublishAdapters> {
    /// Transfer and artifact records.
    pub store: &'a P::Store,
    /// The exchange bucket, which holds the source copy.
    pub exchange: &'a P::Exchange,
    /// The delivery bucket.
    pub artifacts: &'a P::Artifacts,
    /// The document registry.
    pub registry: &'a P::Registry,
    /// Source of the current time.
    pub clock: &'a P::Clock,
    /// Limits.
    pub settings: PublishSettings,
}

/// Copies the document of a transfer into the delivery bucket until the copy is complete or
/// `deadline` minus the margin is reached.
///
/// # Errors
/// A [`TaskError`] whose code says whether the workflow retries.
pub async fn publish<P: PublishAdapters>(
    ports: &PublishPorts<'_, P>,
    task: &TaskInput,
    deadline: Timestamp,
) -> Result<Progress, TaskError> {
    let transfer = ports.store.claim(&task.transfer_id, task.execution_number).await?;
    if transfer.delivery.is_some() {
        return Ok(Progress::Done);
    }
    ensure_active(&transfer, task.execution_number, ports.clock.now())?;
    if transfer.needs_source() {
        return Ok(Progress::SourceLost);
    }
    // Another transfer may have delivered the same document after this transfer pushed it.
    if let Some(reusable) = reusable_artifact(ports.store, ports.clock.now(), &transfer).await? {
        ensure_not_withdrawn(ports.registry, &transfer).await?;
        let delivery = Artifact::from(&reusable).into();
        ports.store.record_delivery(&task.transfer_id, transfer.epoch, &delivery).await?;
        return Ok(Progress::Done);
    }
    let object = SourceObject::of(&transfer).ok_or(FailureCode::Internal)?;
    let stop_at = deadline.checked_sub(ports.settings.margin).unwrap_or(deadline);
    let run = Run { key: artifact_key(&transfer), ports, transfer, object, stop_at, deadline };
    match run.run_to_end().await {
        Err(error) if error.code == FailureCode::SourceChanged => run.restart().await,
        Err(error) if error.code == FailureCode::AlreadyEnded => {
            run.remove_unless_needed().await?;
            Err(error)
        }
        result => result,
    }
}

/// State of one invocation.
struct Run<'a, P: PublishAdapters> {
    ports: &'a PublishPorts<'a, P>,
    transfer: Transfer,
    /// The exchange object that is copied.
    object: SourceObject,
    /// Key of the object in the delivery bucket.
    key: String,
    /// Time after which no further part is copied.
    stop_at: Timestamp,
    /// Time at which Lambda ends the invocation.
    deadline: Timestamp,
}

/// Result of copying the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    /// The object is complete. Its checksum is `None` if this invocation does not know it.
    Complete(Option<Crc32>),
    /// The invocation has to return before the object is complete.
    OutOfTime,
}

impl<P: PublishAdapters> Run<'_, P> {
    /// Copies the document if it is not copied yet, and records the delivery.
    async fn run_to_end(&self) -> Result<Progress, TaskError> {
        let mut crc32 = None;
        if !self.is_copied().await? {
            match self.copy_in_time().await? {
                Copied::Complete(checksum) => crc32 = checksum,
                Copied::OutOfTime => return Ok(Progress::Continue),
            }
            if !self.is_copied().await? {
                return Err(FailureCode::DeliveryUnavailable.into());
            }
        }
        // Until the delivery is recorded, no caller can get a URL of the object.
        ensure_not_withdrawn(self.ports.registry, &self.transfer).await?;
        self.record_delivery(crc32).await?;
        Ok(Progress::Done)
    }

    /// Copies the document. If a call takes so long that Lambda would end the invocation, the copy
    /// is abandoned. The next invocation continues with the parts that are stored.
    async fn copy_in_time(&self) -> Result<Copied, TaskError> {
        let copy = async {
            if self.object.size() <= self.ports.settings.part_bytes {
                self.copy_whole().await
            } else {
                self.copy_parts().await
            }
        };
        let time_left = self.deadline.duration_since(self.ports.clock.now());
        let limit = Duration::try_from(time_left).unwrap_or_default().saturating_sub(RETURN_TIME);
        match tokio::time::timeout(limit.max(SHORTEST_COPY), copy).await {
            Ok(copied) => copied,
            Err(_elapsed) => Ok(Copied::OutOfTime),
        }
    }

    /// Copies a small document with a single PUT.
    async fn copy_whole(&self) -> Result<Copied, TaskError> {
        let bytes = self.read(0..self.object.size()).await?;
        let crc32 = Crc32::of(&bytes);
        self.ensure_uncontested().await?;
        self.ports.artifacts.put(&self.key, self.mime(), bytes, crc32).await?;
        self.save_checkpoint(self.object.size(), &mut None).await?;
        Ok(Copied::Complete(Some(crc32)))
    }

    /// Returns whether the object exists with the full size. The size suffices, because only
    /// complete documents are written under the key and the bucket verifies their checksums.
    async fn is_copied(&self) -> Result<bool, TaskError> {
        Ok(self.ports.artifacts.stored_size(&self.key).await? == Some(self.object.size()))
    }

    /// Returns the multipart upload that an earlier invocation has begun, or begins one.
    async fn open_or_begin_upload(&self) -> Result<OpenUpload, TaskError> {
        let artifacts = self.ports.artifacts;
        if let Some(upload) = artifacts.open_upload(&self.key).await? {
            return Ok(upload);
        }
        Ok(artifacts.begin(&self.key, self.mime()).await?)
    }

    /// Copies the missing parts and completes the multipart upload.
    async fn copy_parts(&self) -> Result<Copied, TaskError> {
        let artifacts = self.ports.artifacts;
        let mut upload = self.open_or_begin_upload().await?;
        let is_whole = |part: &StoredPart| part.size == length(&self.part_range(part.number));
        let part_count =
            u32::try_from(self.object.size().div_ceil(self.part_bytes())).unwrap_or(u32::MAX);
        let mut stored: BTreeMap<u32, StoredPart> = std::mem::take(&mut upload.parts)
            .into_iter()
            .filter(|part| (1..=part_count).contains(&part.number) && is_whole(part))
            .map(|part| (part.number, part))
            .collect();
        let missing: Vec<u32> =
            (1..=part_count).filter(|number| !stored.contains_key(number)).collect();
        let copying = stream::iter(missing)
            .map(async |number| {
                let bytes = self.read(self.part_range(number)).await?;
                let crc32 = Crc32::of(&bytes);
                let part = artifacts.put_part(&self.key, &upload.id, number, bytes, crc32).await?;
                Ok::<_, TaskError>(part)
            })
            .buffer_unordered(self.ports.settings.parallel_parts.max(1));
        let mut copied_parts = std::pin::pin!(copying);
        let mut throughput =
            self.transfer.checkpoint.as_ref().and_then(|checkpoint| checkpoint.throughput);
        while let Some(part) = copied_parts.try_next().await? {
            stored.insert(part.number, part);
            let copied_bytes = stored.values().map(|part| part.size).sum();
            self.save_checkpoint(copied_bytes, &mut throughput).await?;
            if self.ports.clock.now() >= self.stop_at && stored.len() < part_count as usize {
                return Ok(Copied::OutOfTime);
            }
        }
        self.ensure_uncontested().await?;
        let parts: Vec<_> = stored.into_values().collect();
        self.complete(&upload, &parts).await
    }

    /// Completes the multipart upload. Where the bucket verifies whole objects, it creates no
    /// object from parts that have changed; all parts are then copied again.
    async fn complete(
        &self,
        upload: &OpenUpload,
        parts: &[StoredPart],
    ) -> Result<Copied, TaskError> {
        let artifacts = self.ports.artifacts;
        let checksum = checksum_of(parts);
        let size = self.object.size();
        let expected = checksum
            .filter(|_| upload.verification == Verification::WholeObject)
            .map(|crc32| ObjectChecksum { size, crc32 });
        match artifacts.complete(&self.key, &upload.id, parts, expected).await {
            Ok(()) => Ok(Copied::Complete(checksum)),
            // An earlier try or another invocation may have completed the upload already, possibly
            // from other parts. The caller checks that the object exists.
            Err(ArtifactError::UploadGone) => Ok(Copied::Complete(None)),
            Err(ArtifactError::Corrupt) => {
                artifacts.abort(&self.key).await?;
                Err(ArtifactError::Corrupt.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Fails when a push of another document may have written the object that was read.
    async fn ensure_uncontested(&self) -> Result<(), TaskError> {
        let written_at = self.transfer.object.as_ref().and_then(|object| object.written_at);
        if is_contested(self.ports.store, &self.transfer, written_at).await? {
            return Err(FailureCode::SourceChanged.into());
        }
        Ok(())
    }

    /// Returns the bytes of the document that are in the part with this number.
    fn part_range(&self, number: u32) -> Range<u64> {
        let start = u64::from(number - 1) * self.part_bytes();
        start..(start + self.part_bytes()).min(self.object.size())
    }

    /// Returns the size of every part but the last, in bytes.
    fn part_bytes(&self) -> u64 {
        self.ports.settings.part_bytes.max(self.object.size().div_ceil(MAX_PARTS))
    }

    fn mime(&self) -> Option<&str> {
        self.transfer.source.as_ref()?.mime.as_deref()
    }

    /// Reads a range of the exchange object into memory.
    async fn read(&self, range: Range<u64>) -> Result<Bytes, ExchangeError> {
        let len = length(&range);
        if len == 0 {
            return Ok(Bytes::new());
        }
        let mut bytes = BytesMut::with_capacity(usize::try_from(len).unwrap_or_default());
        let SourceObject { key, etag, .. } = &self.object;
        let mut stream = self.ports.exchange.read(key, etag, range).await?;
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece?);
        }
        if bytes.len() as u64 == len { Ok(bytes.freeze()) } else { Err(ExchangeError::Gone) }
    }

    /// Stores a checkpoint with the number of copied bytes, and updates the throughput. Fails with
    /// [`FailureCode::Canceled`] when the transfer has to stop.
    ///
    /// Only the offset, the size of a part and the throughput have a meaning for a download. The
    /// other fields describe upload sessions.
    async fn save_checkpoint(
        &self,
        copied_bytes: u64,
        throughput: &mut Option<Throughput>,
    ) -> Result<(), TaskError> {
        *throughput = Some(Throughput::next(*throughput, self.ports.clock.now(), copied_bytes));
        let checkpoint = Checkpoint {
            offset: copied_bytes,
            hash: SourceHash::default().state(),
            fragment_bytes: self.part_bytes(),
            sessions: 1,
            replaced_for_last_fragment: false,
            counters: UploadCounters::default(),
            put_lease_until: None,
            numbering: false,
            number: 0,
            completed_item_id: None,
            throughput: *throughput,
        };
        let Transfer { transfer_id, epoch, .. } = &self.transfer;
        let ack = self.ports.store.checkpoint(transfer_id, *epoch, &checkpoint).await?;
        if ack.stop { Err(FailureCode::Canceled.into()) } else { Ok(()) }
    }

    /// Records the object and then the delivery. The record of the object makes the sweeper delete
    /// the object when its retention is over. The record of the delivery lets other transfers
    /// reuse the object.
    async fn record_delivery(&self, crc32: Option<Crc32>) -> Result<(), TaskError> {
        let Self { transfer, key, .. } = self;
        let source = transfer.source.as_ref().ok_or(FailureCode::Internal)?;
        let artifact = ArtifactRecord {
            key: key.clone(),
            object_guid: transfer.object_guid.clone(),
            size: source.size,
            crc32,
            name: source.name.clone(),
            mime: source.mime.clone(),
            written_at: self.ports.clock.now(),
            retain_until: transfer.retained_until(),
        };
        self.ports.store.put_artifact(&artifact).await?;
        let delivery = Artifact::from(&artifact).into();
        let id = &transfer.transfer_id;
        Ok(self.ports.store.record_delivery(id, transfer.epoch, &delivery).await?)
    }

    /// Deletes the object of this invocation if its transfer has ended without delivering it. If
    /// the transfer has not ended, a newer execution of the same run continues with the object.
    async fn remove_unless_needed(&self) -> Result<(), TaskError> {
        let current = self.ports.store.get(&self.transfer.transfer_id).await?;
        let is_needed = current.is_some_and(|current| match current.phase.is_terminal() {
            true => has_delivered(&current, &self.key),
            false => artifact_key(&current) == self.key,
        });
        if is_needed {
            Ok(())
        } else {
            discard(self.ports.store, self.ports.artifacts, &self.key).await
        }
    }

    /// Starts the copy over, because the exchange object was written again while it was read.
    /// Parts of both versions must not be mixed, because that would corrupt the document.
    async fn restart(&self) -> Result<Progress, TaskError> {
        self.ports.artifacts.abort(&self.key).await?;
        let source = self.transfer.source.as_ref().ok_or(FailureCode::Internal)?;
        let head = self.ports.exchange.head(&source.key).await?;
        let (store, epoch) = (self.ports.store, self.transfer.epoch);
        let written_at = head.as_ref().map(|head| head.last_modified);
        if may_be_other_document(store, &self.transfer, written_at).await? {
            let push_again = false;
            store.discard_object(&self.transfer.transfer_id, epoch, push_again).await?;
            return Ok(Progress::SourceLost);
        }
        let head = head.ok_or(FailureCode::SourceGone)?;
        if !head.is_from_push(source) || head.size != source.size {
            return Err(FailureCode::SourceChanged.into());
        }
        let arrived_at = self.ports.clock.now();
        let arrived = ArrivedObject { etag: head.etag, arrived_at, written_at };
        store.replace_object(&self.transfer.transfer_id, epoch, &arrived).await?;
        Ok(Progress::Continue)
    }
}

/// Returns the checksum of an object that consists of these parts. Returns `None` if the bucket has
/// not reported the checksum of a part.
fn checksum_of(parts: &[StoredPart]) -> Option<Crc32> {
    let checksums: Option<Vec<_>> =
        parts.iter().map(|part| part.crc32.map(|crc32| (crc32, part.size))).collect();
    checksums.map(Crc32::of_parts)
}

const fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}
