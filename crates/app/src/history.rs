//! What somebody has asked for, newest first.

use docferry_domain::{JobState, Person};
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Clock, History, JobPlace, Listed, StoreError};
use crate::query::is_kept;

/// Reads of the history for one page: a filter that fits nothing ends there, and the
/// page says where to go on.
const MOST_READS: usize = 10;

/// Which jobs are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that stand so.
    pub state: Option<JobState>,
    /// Only those that count for this person.
    pub person: Option<Person>,
}

/// A page of somebody's history.
#[derive(Debug, Clone)]
pub struct Page {
    /// The jobs, newest first.
    pub jobs: Vec<Listed>,
    /// Where the next page begins; `None` when there is none. A page may be short, or
    /// empty, and not be the last.
    pub next: Option<JobPlace>,
}

/// The jobs of `owner` behind `before`, at most `size`. Those that ended longer than
/// `record_ttl` ago are passed over.
///
/// # Errors
/// Only the store's.
pub async fn list_jobs(
    store: &impl History,
    clock: &impl Clock,
    record_ttl: SignedDuration,
    owner: &str,
    filter: &Filter,
    before: Option<JobPlace>,
    size: usize,
) -> Result<Page, StoreError> {
    let now = clock.now();
    let (mut jobs, mut next) = (Vec::new(), before);
    for _ in 0..MOST_READS {
        let (found, behind) = store.jobs(owner, next.as_ref(), size).await?;
        next = behind;
        for job in found {
            if wanted(&job, filter, record_ttl, now) {
                jobs.push(job);
                if jobs.len() == size {
                    // More may follow, of this read or another.
                    let next = jobs.last().map(Listed::place);
                    return Ok(Page { jobs, next });
                }
            }
        }
        if next.is_none() {
            break;
        }
    }
    Ok(Page { jobs, next })
}

fn wanted(job: &Listed, filter: &Filter, record_ttl: SignedDuration, now: Timestamp) -> bool {
    let is_in_state = filter.state.is_none_or(|state| job.state(now) == state);
    let is_for = filter.person.as_ref().is_none_or(|person| job.person() == Some(person));
    is_kept(job.ended_at(), record_ttl, now) && is_in_state && is_for
}
