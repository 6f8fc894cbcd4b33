use std::sync::Arc;
use std::time::Duration;

use docferry_domain::{FailureCode, FragmentPlan, FragmentRange, GRANULE_BYTES, SourceHash};

use super::engine::{Interruption, Run, interrupted};
use super::reader::SourceReader;
use crate::TaskError;
use crate::ports::{
    Clock, Drive, DriveError, DriveItem, FragmentAnswer, Sealer, SessionStatus, Staging,
    StagingError, TransferStore, UploadUrl,
};

/// Failures in a row, without a byte acknowledged between, before giving up.
const MAX_FAILURES: u32 = 6;

/// What sending led to.
pub(super) enum Sent {
    /// All bytes are there, or seem to be.
    Whole {
        /// From the answer, or found; `None` when the answer held none.
        item: Option<DriveItem>,
        /// Whether it comes from the answer to our own last fragment.
        by_us: bool,
    },
    /// The session is gone; what lies at the destination decides.
    SessionGone,
    /// This invocation's time is over.
    OutOfTime,
}

/// What to do after one fragment's answer.
enum Next {
    /// The drive has everything up to here, and so does the checkpoint.
    Advanced,
    /// Nobody knows: ask the session.
    Ask { timed_out: bool, cause: TaskError },
    /// Stop.
    Stop(Sent),
}

impl<S, D, G, L, C> Run<'_, S, D, G, L, C>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
{
    /// Sends fragments from the drive's `offset` on.
    pub(super) async fn send(
        &mut self,
        url: &UploadUrl,
        offset: u64,
    ) -> Result<Sent, Interruption> {
        let Some(mut reader) = self.read_from(offset).await? else {
            return Ok(Sent::OutOfTime);
        };
        let mut failures = 0;
        let mut bytes_per_second = None;
        loop {
            let left = self.time_left();
            let Some(range) = self.plan(left, bytes_per_second) else {
                return Ok(Sent::OutOfTime);
            };
            let began = self.ports.clock.now();
            let next = self.send_one(url, &reader, range, left).await?;
            match next {
                Next::Advanced => {
                    failures = 0;
                    let took = self.ports.clock.now().duration_since(began).as_secs_f64();
                    bytes_per_second = (took > 0.0).then(|| range.len() as f64 / took);
                }
                Next::Stop(sent) => return Ok(sent),
                Next::Ask { timed_out, cause } => {
                    failures += 1;
                    if failures > MAX_FAILURES {
                        return Err(Interruption::Failed(cause));
                    }
                    if timed_out {
                        self.checkpoint.fragment_bytes =
                            FragmentPlan::starting_at(self.checkpoint.fragment_bytes)
                                .halved()
                                .bytes();
                    }
                    drop(reader);
                    let pause = Duration::from_millis(100 << failures);
                    tokio::time::sleep(pause.min(self.time_left())).await;
                    match self.ports.drive.session_status(url).await {
                        Ok(SessionStatus { next: Some(offset) }) if offset < self.object.size => {
                            let Some(again) = self.read_from(offset).await? else {
                                return Ok(Sent::OutOfTime);
                            };
                            if offset > range.start {
                                failures = 0;
                            }
                            reader = again;
                        }
                        Ok(SessionStatus { .. }) | Err(DriveError::SessionGone) => {
                            return Ok(Sent::SessionGone);
                        }
                        // Still nobody knows; the same fragment is tried again from
                        // where the checkpoint stands.
                        Err(DriveError::Ambiguous(_)) => {
                            let Some(again) = self.read_from(self.checkpoint.offset).await? else {
                                return Ok(Sent::OutOfTime);
                            };
                            reader = again;
                        }
                        Err(error) => return Err(interrupted(error)),
                    }
                }
            }
        }
    }

    /// A reader at the drive's offset, which becomes the checkpoint's. `None` when
    /// the time is over.
    async fn read_from(&mut self, offset: u64) -> Result<Option<SourceReader>, Interruption> {
        let moved = self.checkpoint.offset != offset;
        self.checkpoint.offset = offset;
        let Some(hash) = self.hash_up_to(offset).await? else {
            return Ok(None);
        };
        if moved {
            self.save().await?;
        }
        let staging = Arc::clone(&self.ports.staging);
        let budget = self.ports.settings.read_ahead_bytes;
        Ok(Some(SourceReader::open(staging, self.object.clone(), offset, hash, budget)))
    }

    /// The next fragment, no larger than what fits into the time that is left.
    fn plan(&self, left: Duration, bytes_per_second: Option<f64>) -> Option<FragmentRange> {
        if left.is_zero() {
            return None;
        }
        let mut plan = FragmentPlan::starting_at(self.checkpoint.fragment_bytes);
        if let Some(rate) = bytes_per_second {
            let fits = rate * left.as_secs_f64() * 0.8;
            if fits < GRANULE_BYTES as f64 {
                return None;
            }
            plan = plan.at_most(fits as u64);
        }
        plan.next(self.checkpoint.offset, self.object.size)
    }

    async fn send_one(
        &mut self,
        url: &UploadUrl,
        reader: &SourceReader,
        range: FragmentRange,
        left: Duration,
    ) -> Result<Next, Interruption> {
        let body = reader.fragment(range.len());
        let limit = left.min(self.ports.settings.fragment_timeout);
        let put = self.ports.drive.put_fragment(url, range, body);
        let Ok(answer) = tokio::time::timeout(limit, put).await else {
            return self.after_time_out(range, limit == left).await;
        };
        match answer {
            Ok(FragmentAnswer::Accepted { next: Some(next) }) if next == range.end => {
                self.advance(next, &reader.hash().await).await?;
                Ok(Next::Advanced)
            }
            // Another offset than expected, or none: the session tells.
            Ok(FragmentAnswer::Accepted { .. }) | Err(DriveError::OffsetMismatch) => {
                Ok(ask(FailureCode::DestinationUnavailable.into()))
            }
            Ok(FragmentAnswer::Completed(item)) => {
                self.checkpoint.hash = reader.hash().await.state();
                self.checkpoint.offset = range.end;
                Ok(Next::Stop(Sent::Whole { item, by_us: range.is_last() }))
            }
            Err(DriveError::SessionGone) => Ok(Next::Stop(Sent::SessionGone)),
            Err(DriveError::Body) => match reader.take_failure().await {
                Some(error @ StagingError::Unavailable(_)) => Ok(ask(error.into())),
                Some(error) => Err(error.into()),
                None => Ok(ask(FailureCode::ExchangeUnavailable.into())),
            },
            Err(error @ DriveError::Ambiguous(_)) => Ok(ask(error.into())),
            Err(error) => Err(interrupted(error)),
        }
    }

    /// The fragment did not make it. At the end of the invocation's time the next
    /// one goes on, with smaller fragments if this one began with nothing done.
    async fn after_time_out(
        &mut self,
        range: FragmentRange,
        at_the_end: bool,
    ) -> Result<Next, Interruption> {
        if !at_the_end {
            return Ok(Next::Ask {
                timed_out: true,
                cause: FailureCode::DestinationUnavailable.into(),
            });
        }
        let began_at = self.transfer.checkpoint.as_ref().map_or(0, |before| before.offset);
        if range.start == began_at {
            let plan = FragmentPlan::starting_at(self.checkpoint.fragment_bytes);
            self.checkpoint.fragment_bytes = plan.halved().bytes();
            self.save().await?;
        }
        Ok(Next::Stop(Sent::OutOfTime))
    }

    async fn advance(&mut self, offset: u64, hash: &SourceHash) -> Result<(), Interruption> {
        self.checkpoint.offset = offset;
        self.checkpoint.hash = hash.state();
        Ok(self.save().await?)
    }
}

fn ask(cause: TaskError) -> Next {
    Next::Ask { timed_out: false, cause }
}
