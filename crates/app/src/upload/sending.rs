use std::sync::Arc;
use std::time::Duration;

use docferry_domain::{Answer, FailureCode, FragmentRange};
use jiff::SignedDuration;

use super::comparison::Found;
use super::engine::Run;
use super::read_ahead::ReadAhead;
use super::reader::SourceReader;
use crate::TaskError;
use crate::ports::{
    Clock, ConflictPolicy, Drive, DriveError, FragmentAnswer, Sealer, Staging, ThrottleBudget,
    TransferStore,
};

/// How long a PUT may take to land that was given up: its bytes are on their way.
const LANDING: SignedDuration = SignedDuration::from_secs(15);

/// A PUT is not begun with less time than this.
const SHORTEST_PUT: Duration = Duration::from_secs(20);

/// How much is read between two looks at the clock, only to hash it.
const GAP_BYTES: u64 = 32 * 1024 * 1024;

impl<S, D, G, L, C, B> Run<'_, S, D, G, L, C, B>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
    B: ThrottleBudget,
{
    /// Sends a fragment, read on from where the last one ended, or anew.
    pub(super) async fn send(&mut self, range: FragmentRange) -> Result<Answer, TaskError> {
        let Some(url) = self.url().await? else { return Ok(Answer::Gone) };
        let reader = match self.reader.take() {
            Some((position, reader)) if position == range.start => reader,
            _ => self.read_from(range.start),
        };
        let left = self.time_left();
        let limit = left.min(self.ports.settings.fragment_timeout);
        let began = self.ports.clock.now();
        let put = self.ports.drive.put_fragment(&url, range, reader.fragment(range.len()));
        let Ok(answer) = tokio::time::timeout(limit, put).await else {
            return Ok(if limit == left { Answer::OutOfTime } else { Answer::TimedOut });
        };
        Ok(match answer {
            Ok(FragmentAnswer::Accepted { next }) => {
                let took = self.ports.clock.now().duration_since(began);
                let took = Duration::try_from(took).unwrap_or_default();
                if next.is_some_and(|gap| gap.start == range.end) {
                    self.hash = reader.hash().await;
                    self.reader = Some((range.end, reader));
                    self.bytes_per_second =
                        (!took.is_zero()).then(|| range.len() as f64 / took.as_secs_f64());
                }
                Answer::Accepted { next, took }
            }
            Ok(FragmentAnswer::Completed(item)) => {
                if range.is_last() {
                    self.hash = reader.hash().await;
                }
                let at = self.destination.clone();
                self.answered = Some(item.id.clone());
                self.found = vec![Found { name: at.name, item }];
                Answer::Complete
            }
            Err(DriveError::Body) => match reader.take_failure().await {
                Some(error) => self.unread(error),
                None => Answer::SourceBroke,
            },
            Err(error) => self.refusal(error),
        })
    }

    fn read_from(&self, position: u64) -> SourceReader {
        let staging = Arc::clone(&self.ports.staging);
        let settings = &self.ports.settings;
        let ahead =
            ReadAhead { budget_bytes: settings.read_ahead_bytes, reads: settings.parallel_reads };
        SourceReader::open(staging, self.object.clone(), position, self.hash.clone(), ahead)
    }

    /// Reads what a lost checkpoint left out of the hash, or a part of it.
    pub(super) async fn read_gap(&mut self, until: u64) -> Answer {
        let staging = Arc::clone(&self.ports.staging);
        let until = until.min(self.hash.hashed_to() + GAP_BYTES);
        // What breaks off in the middle is read again.
        let mut hash = self.hash.clone();
        match self.object.hash_up_to(&*staging, &mut hash, until).await {
            Ok(()) => {
                self.hash = hash;
                Answer::Hashed(self.hash.hashed_to())
            }
            Err(error) => self.unread(error),
        }
    }

    /// Reads a small document into memory.
    pub(super) async fn load(&mut self) -> Answer {
        let staging = Arc::clone(&self.ports.staging);
        match self.object.read_whole(&*staging).await {
            Ok((whole, hash)) => {
                self.whole = whole;
                self.hash = hash;
                Answer::Loaded
            }
            Err(error) => self.unread(error),
        }
    }

    /// Puts a small document.
    ///
    /// Under the policy `rename` the numbering is ours, and each name is tried
    /// under `fail`: a PUT of which we do not know may land late, but only under
    /// a name that we look at before we take another.
    ///
    /// Only while the lease that was written before lasts, less what it takes a PUT to
    /// land that was given up.
    pub(super) async fn put(&mut self, number: u32) -> Result<Answer, TaskError> {
        let mut lasts = self.lease_lasts();
        if lasts < SHORTEST_PUT {
            // There was a pause since.
            self.save().await?;
            lasts = self.lease_lasts();
        }
        let policy = match self.ports.settings.policy {
            ConflictPolicy::Rename => ConflictPolicy::Fail,
            policy => policy,
        };
        let Ok(at) = self.destination.numbered(number) else {
            return Ok(Answer::Refused(FailureCode::DestinationConflict));
        };
        let put = self.ports.drive.put_whole(&at, self.whole.clone(), policy);
        let left = self.time_left();
        // What becomes of this one says nothing of one before it.
        let was_on_its_way = std::mem::replace(&mut self.is_on_its_way, true);
        let Ok(answer) = tokio::time::timeout(left.min(lasts), put).await else {
            return Ok(if left <= lasts { Answer::OutOfTime } else { Answer::TimedOut });
        };
        self.is_on_its_way = was_on_its_way || matches!(answer, Err(DriveError::Ambiguous(_)));
        Ok(match answer {
            Ok(item) => {
                self.answered = Some(item.id.clone());
                self.found = vec![Found { name: at.name, item }];
                Answer::Complete
            }
            Err(error) => self.refusal(error),
        })
    }

    fn lease_lasts(&self) -> Duration {
        let lasts = self.lease.map(|end| end.duration_since(self.ports.clock.now()) - LANDING);
        lasts.and_then(|lasts| Duration::try_from(lasts).ok()).unwrap_or_default()
    }
}
