//! The DynamoDB index `jobs`, which lists the jobs of each owner in the order of their creation.
//! The *owner* of a job is the caller that requested it.

use docferry_app::ports::JobPosition;

use super::conditional_update::string;
use super::keys::Item;

/// Index of jobs by owner.
pub(super) const JOBS: &str = "jobs";
/// Partition key of the index `jobs`.
pub(super) const OWNER: &str = "jobOwner";
/// Sort key of the index `jobs`: creation time and id, see [`order`].
pub(super) const ORDER: &str = "jobOrder";

/// Adds a job to its owner's history, the index `jobs`.
pub(super) fn with_history_entry(mut item: Item, owner: &str, position: &JobPosition) -> Item {
    item.insert(OWNER.into(), string(owner));
    item.insert(ORDER.into(), string(order(position)));
    item
}

/// Returns the sort key of a job in the index: creation time in milliseconds, then the id.
pub(super) fn order(position: &JobPosition) -> String {
    // 13 digits hold milliseconds until the year 2286.
    format!("{:013}#{}", position.created_ms.max(0), position.id)
}

/// Parses a sort key of the index.
pub(super) fn read_order(text: &str) -> Option<JobPosition> {
    let (created_ms, id) = text.split_once('#')?;
    Some(JobPosition { created_ms: created_ms.parse().ok()?, id: id.parse().ok()? })
}
