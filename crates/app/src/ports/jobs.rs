use std::future::Future;

use docferry_domain::{Bundle, JobState, NamedRequest, Person, Transfer, TransferId};
use jiff::Timestamp;

use super::StoreError;

/// What comes with a new transfer, in the transaction that records it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entry<'a> {
    /// The name that its caller gave the request.
    pub request: Option<&'a NamedRequest>,
    /// It holds a slot from the start, if nothing was granted since the slots were
    /// read at this version. Otherwise it stands in the queue.
    pub slot: Option<u64>,
}

/// What came of recording something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// It is recorded.
    Done,
    /// Somebody else was given a slot meanwhile: nothing is recorded.
    SlotsChanged,
    /// A request of that name came before and is still remembered: nothing is
    /// recorded.
    Before(NamedRequest),
}

/// A job as it stands in its owner's history.
#[derive(Debug, Clone)]
pub enum Listed {
    /// Of one document.
    One(Box<Transfer>),
    /// Of many.
    Many(Box<Bundle>),
}

impl Listed {
    /// Where it stands in the history.
    #[must_use]
    pub fn place(&self) -> JobPlace {
        let (created_at, id) = match self {
            Self::One(transfer) => (transfer.created_at, &transfer.transfer_id),
            Self::Many(bundle) => (bundle.created_at, &bundle.bundle_id),
        };
        JobPlace { created_ms: created_at.as_millisecond(), id: id.clone() }
    }

    /// How it stands, for whoever asked for it.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> JobState {
        match self {
            Self::One(transfer) => JobState::of(transfer.phase, transfer.keep_until, now),
            Self::Many(bundle) => JobState::of(bundle.phase, bundle.keep_until, now),
        }
    }

    /// When it ended, however it did.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::One(transfer) => transfer.ended_at,
            Self::Many(bundle) => bundle.ended_at,
        }
    }

    /// For whom it counts, when that is somebody else than its owner.
    #[must_use]
    pub const fn person(&self) -> Option<&Person> {
        match self {
            Self::One(transfer) => transfer.on_behalf_of.as_ref(),
            Self::Many(bundle) => bundle.on_behalf_of.as_ref(),
        }
    }
}

/// A place in somebody's history, which is ordered by time and then by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobPlace {
    /// When the job was asked for, milliseconds since 1970.
    pub created_ms: i64,
    /// The job.
    pub id: TransferId,
}

/// The jobs of each owner: transfers of the viewer's contract too, documents of a bundle not.
pub trait History: Send + Sync {
    /// The jobs of `owner` that are older than `before`, newest first, at most `limit`.
    /// Those that were asked for a moment ago may be missing; those whose records are
    /// gone are.
    ///
    /// Also the place at which to go on; `None` at the end.
    fn jobs(
        &self,
        owner: &str,
        before: Option<&JobPlace>,
        limit: usize,
    ) -> impl Future<Output = Result<(Vec<Listed>, Option<JobPlace>), StoreError>> + Send;
}

/// Jobs that run again, and the names of requests.
///
/// Every write is conditional and may be repeated.
pub trait JobStore: Send + Sync {
    /// A transfer that has ended and is settled runs again, as
    /// [`Transfer::again`] says. One that belongs to no bundle is put into the queue;
    /// a document of a bundle is not counted there any more, and stands in no queue.
    /// `sweep` looks at it from `due` on.
    ///
    /// `false` when it has changed since it was `read`, or is not settled, or when the
    /// documents of its bundle are not being resumed, in that run.
    fn run_again(
        &self,
        read: &Transfer,
        again: &Transfer,
        due: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// A bundle that has ended runs again: [`Bundle::resuming`], kept until
    /// `keep_until`, its documents to end by `deadline`, looked at by `sweep` from
    /// `due` on. `false` when it has changed since it was `read`.
    fn resume_bundle(
        &self,
        read: &Bundle,
        keep_until: Timestamp,
        deadline: Timestamp,
        due: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Those documents of the bundle run again that are to. Only for the run with this
    /// number of retries.
    fn documents_resumed(
        &self,
        id: &TransferId,
        retries: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What an ended transfer has delivered is kept until then; the store may forget
    /// its record after `purge_at`, not before.
    fn keep_longer(
        &self,
        id: &TransferId,
        keep_until: Timestamp,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The request of that key, if one was made and is still remembered.
    fn request(
        &self,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<NamedRequest>, StoreError>> + Send;

    /// The request counts as never made, if it made that job: nothing came of it.
    fn forget_request(
        &self,
        request: &NamedRequest,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
