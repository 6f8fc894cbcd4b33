//! Job history of an owner, newest first.

use docferry_domain::job::JobState;
use docferry_domain::person::Person;
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Clock, History, HistoryEntry, JobPosition, StoreError};
use crate::transfer::get::is_retained;

/// Maximum number of index reads for one page. If the filter matches few jobs, the page ends after
/// these reads, and [`Page::next`] says where to continue.
const MAX_READS: usize = 10;

/// Conditions on the jobs of a history. Without a condition, all jobs match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// Only jobs on behalf of this person.
    pub person: Option<Person>,
}

/// A page of an owner's history.
#[derive(Debug, Clone)]
pub struct Page {
    /// The jobs, newest first.
    pub jobs: Vec<HistoryEntry>,
    /// Position at which the next page begins; `None` after the last page. A page that is not the
    /// last one may also be short or empty.
    pub next: Option<JobPosition>,
}

/// Returns at most `size` jobs of `owner` that match the filter and are older than `before`. Skips
/// jobs that ended more than `record_ttl` ago.
///
/// # Errors
/// The errors of the store.
pub async fn list_jobs(
    store: &impl History,
    clock: &impl Clock,
    record_ttl: SignedDuration,
    owner: &str,
    filter: &Filter,
    before: Option<JobPosition>,
    size: usize,
) -> Result<Page, StoreError> {
    let now = clock.now();
    let (mut jobs, mut next) = (Vec::new(), before);
    for _ in 0..MAX_READS {
        let (found, position) = store.jobs(owner, next.as_ref(), size).await?;
        next = position;
        for job in found {
            if matches(&job, filter, record_ttl, now) {
                jobs.push(job);
                if jobs.len() == size {
                    // There may be more jobs, in this read or in the next one.
                    let next = jobs.last().map(HistoryEntry::place);
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

fn matches(
    job: &HistoryEntry,
    filter: &Filter,
    record_ttl: SignedDuration,
    now: Timestamp,
) -> bool {
    let is_in_state = filter.state.is_none_or(|state| job.state(now) == state);
    let is_for_person = filter.person.as_ref().is_none_or(|person| job.person() == Some(person));
    is_retained(job.ended_at(), record_ttl, now) && is_in_state && is_for_person
}
