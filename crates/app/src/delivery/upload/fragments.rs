//! Actions of an upload that move bytes: they send fragments, write small documents with a single
//! PUT, and read the source (the document's object in the exchange bucket). The engine calls these
//! actions to execute the commands of the state machine.
//!
//! Each action returns a [`DriveEvent`], which reports its result to the state machine. The *lease*
//! in the checkpoint is the time until which a single PUT may take effect.

use std::sync::Arc;
use std::time::Duration;

use docferry_domain::failure::FailureCode;
use docferry_domain::upload::{DriveEvent, FragmentRange};
use jiff::SignedDuration;

use super::names::NamedItem;
use super::read_ahead::ReadAhead;
use super::reader::{PositionedReader, SourceReader};
use super::run::Run;
use crate::TaskError;
use crate::ports::{Clock, ConflictPolicy, Drive, DriveError, FragmentResult, UploadAdapters};

/// Time in which an aborted PUT may still take effect, because its bytes are already in
/// transit.
const ABORTED_PUT_GRACE: SignedDuration = SignedDuration::from_secs(15);

/// Minimum time that must remain on the lease before a PUT is started.
const MIN_PUT_TIME: Duration = Duration::from_secs(20);

/// Maximum number of bytes read per step when the source is read only to be hashed; the time
/// limit is checked between steps.
const HASH_STEP_BYTES: u64 = 32 * 1024 * 1024;

impl<P: UploadAdapters> Run<'_, P> {
    /// Sends one fragment. Uses the current source reader if its next byte is the first byte of
    /// the range, and opens a new reader if not.
    pub(super) async fn send_fragment(
        &mut self,
        range: FragmentRange,
    ) -> Result<DriveEvent, TaskError> {
        let Some(url) = self.url().await? else { return Ok(DriveEvent::Gone) };
        let reader = match self.reader.take() {
            Some(current) if current.position == range.start => current.reader,
            _ => self.read_from(range.start),
        };
        let time_left = self.time_left();
        let limit = time_left.min(self.ports.settings.fragment_timeout);
        let sent_at = self.ports.clock.now();
        let put = self.ports.drive.put_fragment(&url, range, reader.fragment(range.len()));
        let Ok(response) = tokio::time::timeout(limit, put).await else {
            return Ok(if limit == time_left {
                DriveEvent::OutOfTime
            } else {
                DriveEvent::TimedOut
            });
        };
        Ok(match response {
            Ok(FragmentResult::Accepted { next }) => {
                let took = self.ports.clock.now().duration_since(sent_at);
                let took = Duration::try_from(took).unwrap_or_default();
                if next.is_some_and(|gap| gap.start == range.end) {
                    self.hash = reader.hash().await;
                    self.reader = Some(PositionedReader { position: range.end, reader });
                    self.bytes_per_second =
                        (!took.is_zero()).then(|| range.len() as f64 / took.as_secs_f64());
                }
                DriveEvent::Accepted { next, took }
            }
            Ok(FragmentResult::Completed(item)) => {
                if range.is_last() {
                    self.hash = reader.hash().await;
                }
                let name = self.destination.name.clone();
                self.completed_item_id = Some(item.id.clone());
                self.candidates = vec![NamedItem { name, item }];
                DriveEvent::Complete
            }
            Err(DriveError::Body) => match reader.take_failure().await {
                Some(error) => self.source_error_event(error),
                None => DriveEvent::SourceUnreadable,
            },
            Err(error) => self.drive_error_event(error),
        })
    }

    /// Opens a source reader at this position.
    fn read_from(&self, position: u64) -> SourceReader {
        let exchange = Arc::clone(&self.ports.exchange);
        let settings = &self.ports.settings;
        let read_ahead = ReadAhead {
            memory_bytes: settings.read_ahead_bytes,
            parallel_reads: settings.parallel_reads,
        };
        SourceReader::open(exchange, self.object.clone(), position, self.hash.clone(), read_ahead)
    }

    /// Hashes source bytes that the drive has stored but that the checkpoint's hash does not
    /// cover, because a later checkpoint was lost. Reads at most [`HASH_STEP_BYTES`].
    pub(super) async fn hash_source(&mut self, until: u64) -> DriveEvent {
        let exchange = Arc::clone(&self.ports.exchange);
        let until = until.min(self.hash.hashed_to() + HASH_STEP_BYTES);
        // Hashing works on a copy, so a read that fails halfway is repeated from the start.
        let mut hash = self.hash.clone();
        match self.object.hash_up_to(&*exchange, &mut hash, until).await {
            Ok(()) => {
                self.hash = hash;
                DriveEvent::Hashed(self.hash.hashed_to())
            }
            Err(error) => self.source_error_event(error),
        }
    }

    /// Reads a small document from the exchange bucket into memory and hashes it.
    pub(super) async fn load_document(&mut self) -> DriveEvent {
        let exchange = Arc::clone(&self.ports.exchange);
        match self.object.read_whole(&*exchange).await {
            Ok((small_document, hash)) => {
                self.small_document = small_document;
                self.hash = hash;
                DriveEvent::Loaded
            }
            Err(error) => self.source_error_event(error),
        }
    }

    /// Sends a small document with a single PUT.
    ///
    /// Under the policy `rename`, docferry chooses the numbered names itself and sends each PUT
    /// under the policy `fail`. A PUT whose response was lost may therefore take effect late, but
    /// only under its own name, which is looked up before the next name is tried.
    ///
    /// The PUT is aborted [`ABORTED_PUT_GRACE`] before the lease in the checkpoint ends, because
    /// an aborted PUT may still take effect for that long.
    pub(super) async fn put_document(&mut self, number: u32) -> Result<DriveEvent, TaskError> {
        let mut lease_left = self.lease_left();
        if lease_left < MIN_PUT_TIME {
            // The lease was written before a pause and has nearly ended: renew it.
            self.save().await?;
            lease_left = self.lease_left();
        }
        let policy = match self.ports.settings.policy {
            ConflictPolicy::Rename => ConflictPolicy::Fail,
            policy => policy,
        };
        let Ok(destination) = self.destination.numbered(number) else {
            return Ok(DriveEvent::Refused(FailureCode::DestinationConflict));
        };
        let put = self.ports.drive.put_whole(&destination, self.small_document.clone(), policy);
        let time_left = self.time_left();
        // The result of this PUT says nothing about an earlier PUT that may still be in flight.
        let was_in_flight = std::mem::replace(&mut self.is_put_in_flight, true);
        let Ok(response) = tokio::time::timeout(time_left.min(lease_left), put).await else {
            return Ok(if time_left <= lease_left {
                DriveEvent::OutOfTime
            } else {
                DriveEvent::TimedOut
            });
        };
        self.is_put_in_flight = was_in_flight || matches!(response, Err(DriveError::Ambiguous(_)));
        Ok(match response {
            Ok(item) => {
                self.completed_item_id = Some(item.id.clone());
                self.candidates = vec![NamedItem { name: destination.name, item }];
                DriveEvent::Complete
            }
            Err(error) => self.drive_error_event(error),
        })
    }

    /// Returns the time after which a PUT has to be aborted because of its lease.
    fn lease_left(&self) -> Duration {
        let now = self.ports.clock.now();
        let left = self.lease.map(|end| end.duration_since(now) - ABORTED_PUT_GRACE);
        left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default()
    }
}
