//! Conformance check of every [`History`]: the list of the jobs of an owner.

use docferry_app::ports::{History, HistoryEntry, JobPosition, Store};
use docferry_domain::job::Batch;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::transfer::Transfer;

use super::support::{batch, hours};
use crate::builders::transfer;

/// Number of jobs on a page of the list.
const PAGE_SIZE: usize = 2;

pub(super) async fn history_lists_jobs_of_its_owner_newest_first(store: &(impl Store + History)) {
    let owner = transfer().transfer_id.to_string();
    let mut created_ids = Vec::new();
    for hour in 0..5 {
        let created_at = hours(hour);
        // One of the jobs is a batch.
        if hour == 2 {
            let mut many = Batch { created_at, ..batch(1) };
            many.spec.owner.clone_from(&owner);
            store.create_batch(&many).await.unwrap();
            created_ids.push(many.batch_id);
            continue;
        }
        // Transfers of the viewer have no retention. The list contains them too.
        let retain_until = (hour % 2 == 0).then(|| hours(24 + hour));
        let spec = JobSpec { retain_until, ..JobSpec::of_owner(&owner) };
        let one = Transfer { spec, created_at, ..transfer() };
        store.create(&one).await.unwrap();
        created_ids.push(one.transfer_id);
    }

    let mut listed_ids = Vec::new();
    let mut before: Option<JobPosition> = None;
    loop {
        let (page, next) = store.jobs(&owner, before.as_ref(), PAGE_SIZE).await.unwrap();
        assert!(page.len() <= PAGE_SIZE);
        listed_ids.extend(page.iter().map(|job| HistoryEntry::place(job).id));
        before = next;
        if before.is_none() {
            break;
        }
    }

    created_ids.reverse();
    assert_eq!(listed_ids, created_ids);
    assert!(store.jobs("unknown owner", None, 10).await.unwrap().0.is_empty());
}
