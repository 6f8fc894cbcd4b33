//! Writing of the checkpoint, and the lease of a PUT that it contains.

use docferry_domain::failure::FailureCode;
use docferry_domain::upload::{Checkpoint, SMALL_FILE_BYTES, Throughput};
use jiff::{SignedDuration, Timestamp};

use super::run::Run;
use crate::TaskError;
use crate::ports::{CheckpointAck, Clock, UploadAdapters, UploadStore as _};
use crate::time::saturating_add;

/// Lease of the PUT that writes a small document: the time in which the PUT may take effect. A PUT
/// of 4 MB takes a second or two. It is aborted before the lease ends.
const PUT_LEASE: SignedDuration = SignedDuration::from_secs(60);

impl<P: UploadAdapters> Run<'_, P> {
    /// Writes the checkpoint. The write also returns whether a cancel was requested, so no extra
    /// read is needed to notice a cancel.
    ///
    /// The checkpoint of a small document carries a lease, because a PUT cannot be aborted once
    /// it has been sent. The step `finalize` waits until the lease ends.
    ///
    /// # Errors
    /// [`FailureCode::Canceled`] when a cancel was requested.
    pub(super) async fn save(&mut self) -> Result<(), TaskError> {
        let is_small = self.object.size() <= SMALL_FILE_BYTES;
        let lease = is_small.then(|| saturating_add(self.ports.clock.now(), PUT_LEASE));
        if !self.write_checkpoint(lease).await? {
            return Ok(());
        }
        if self.lease.is_some() && !self.is_put_in_flight {
            self.write_checkpoint(None).await?;
        }
        Err(FailureCode::Canceled.into())
    }

    /// Writes the checkpoint with `lease`. Returns whether the transfer has to stop.
    pub(super) async fn write_checkpoint(
        &mut self,
        lease: Option<Timestamp>,
    ) -> Result<bool, TaskError> {
        let id = &self.transfer.transfer_id;
        let reached = self.machine.checkpoint(self.hash.state());
        self.throughput =
            Some(Throughput::next(self.throughput, self.ports.clock.now(), reached.offset));
        // A PUT of an earlier invocation may still take effect until its lease ends.
        let earlier_lease =
            self.transfer.checkpoint.as_ref().and_then(|stored| stored.put_lease_until);
        let put_lease_until = lease.max(earlier_lease);
        let checkpoint = Checkpoint {
            put_lease_until,
            throughput: self.throughput,
            completed_item_id: self.completed_item_id.clone(),
            ..reached
        };
        let CheckpointAck { stop } =
            self.ports.store.checkpoint(id, self.transfer.epoch, &checkpoint).await?;
        self.lease = lease;
        Ok(stop)
    }
}
