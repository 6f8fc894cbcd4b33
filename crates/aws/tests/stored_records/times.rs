//! Times in the samples. All of them are relative to [`START`], so every run of the tests writes
//! the same records.

use jiff::Timestamp;

/// Returns the time `seconds` after [`START`].
const fn at(seconds: i64) -> Timestamp {
    Timestamp::constant(1_700_000_000 + seconds, 0)
}

/// Time at which every transfer and batch is requested, and at which slots are granted. The
/// builders of `docferry_testkit` use the same time.
pub(crate) const START: Timestamp = at(0);

/// The exchange bucket still contains an older object under the exchange key. It was written at
/// this time, before the push.
pub(crate) const OLDER_OBJECT_WRITTEN: Timestamp = at(-100);

/// A push begins: docferry is about to ask the source for the document.
pub(crate) const PUSH_BEGUN: Timestamp = at(1);
/// Time of the same push by the clock of the exchange bucket.
pub(crate) const PUSH_REQUESTED: Timestamp = at(2);
/// The source has responded to the push.
pub(crate) const PUSHED: Timestamp = at(3);
/// The pushed object is written, by the clock of the exchange bucket.
pub(crate) const OBJECT_WRITTEN: Timestamp = at(4);
/// The step `poll` finds the pushed object in the exchange bucket.
pub(crate) const OBJECT_ARRIVED: Timestamp = at(5);

/// An upload measures its throughput.
pub(crate) const THROUGHPUT_MEASURED: Timestamp = at(9);
/// A step fails and will be tried again.
pub(crate) const STEP_FAILED: Timestamp = at(12);
/// End of the pause that the drive has asked of one transfer.
pub(crate) const DRIVE_PAUSE_END: Timestamp = at(20);
/// End of the lease under which a small document is sent in one request.
pub(crate) const PUT_LEASE_END: Timestamp = at(60);
/// The upload session expires.
pub(crate) const SESSION_EXPIRY: Timestamp = at(900);

/// The drive asks all transfers to pause.
pub(crate) const SHARED_PAUSE_BEGIN: Timestamp = at(10);
/// End of the pause of all transfers.
pub(crate) const SHARED_PAUSE_END: Timestamp = at(40);
/// A second API call in the same minute as [`START`].
pub(crate) const SECOND_CALL: Timestamp = at(1);

/// The last user of an exchange key releases it and may delete its object.
pub(crate) const KEY_RELEASE_BEGUN: Timestamp = at(30);
/// The object of the released exchange key is deleted.
pub(crate) const KEY_RELEASED: Timestamp = at(31);
/// End of the lease under which the object of an exchange key may be deleted.
pub(crate) const DELETION_LEASE_END: Timestamp = at(60);

/// A download writes its artifact into the delivery bucket.
pub(crate) const ARTIFACT_WRITTEN: Timestamp = at(50);
/// Another download of the same document begins its step `push`.
pub(crate) const REUSE_BEGUN: Timestamp = at(51);

/// The sweeper first checks a document of a batch.
pub(crate) const FIRST_CHECK: Timestamp = at(90);
/// The sweeper checks a batch whose owner has asked to cancel it.
pub(crate) const CANCEL_CHECK: Timestamp = at(100);
/// A transfer ends, with any outcome.
pub(crate) const TRANSFER_ENDED: Timestamp = at(600);
/// A batch ends.
pub(crate) const BATCH_ENDED: Timestamp = at(700);

/// The owner retries an ended transfer.
pub(crate) const RETRY_REQUESTED: Timestamp = at(1_000);
/// Time of the push of an earlier run whose object may still arrive.
pub(crate) const LATE_PUSH_REQUESTED: Timestamp = at(1_001);
/// The sweeper checks the retried transfer or batch.
pub(crate) const RETRY_CHECK: Timestamp = at(1_090);

/// Time by which a document of this size must be delivered.
pub(crate) const SIZE_DEADLINE: Timestamp = at(7_200);
/// Deadline of every transfer in its first run: four hours after the request.
pub(crate) const DEADLINE: Timestamp = at(14_400);
/// Deadline of the second run.
pub(crate) const RETRY_DEADLINE: Timestamp = at(15_400);

/// End of the retention of downloads and of idempotency records: one day after the request.
pub(crate) const RETENTION_END: Timestamp = at(86_400);
/// End of the retention of a retried batch.
pub(crate) const RETRY_RETENTION_END: Timestamp = at(90_000);
/// End of the extended retention of an artifact that another request asked for again.
pub(crate) const LONGER_RETENTION_END: Timestamp = at(100_000);

/// The store may delete the record of a delivery into a OneDrive.
pub(crate) const DELIVERY_PURGE: Timestamp = at(90_000);
/// The store may delete the records of a download or of a batch.
pub(crate) const DOWNLOAD_PURGE: Timestamp = at(172_800);
/// The store may delete the record of a download with an extended retention.
pub(crate) const LONGER_PURGE: Timestamp = at(186_400);
