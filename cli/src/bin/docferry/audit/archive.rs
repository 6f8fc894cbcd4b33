//! Reading of the archive: lists the objects of some days and reads their records.

use std::collections::HashSet;

use docferry_app::audit::archive_day;
use docferry_app::ports::AuditArchive as _;
use docferry_aws::S3AuditArchive;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::admin::AdminError;

/// Number of keys in one page of a list.
const PAGE: usize = 1_000;
/// Number of objects that are read at the same time.
const PARALLEL_READS: usize = 8;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Archive of the audit trail. It returns each record once.
pub(super) struct Archive {
    bucket: S3AuditArchive,
    /// Message ids of the records that were returned.
    seen: HashSet<String>,
}

impl Archive {
    pub(super) fn new(bucket: S3AuditArchive) -> Self {
        Self { bucket, seen: HashSet::new() }
    }

    /// Lists the keys of all objects that were written on the day of `at`, after the key `after`.
    pub(super) async fn keys(&self, at: Timestamp, after: &str) -> Result<Vec<String>, AdminError> {
        let prefix = archive_day(at);
        let (mut keys, mut after) = (Vec::new(), after.to_owned());
        loop {
            let page = self.bucket.list(&prefix, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(keys) };
            after.clone_from(last);
            keys.extend(page);
        }
    }

    /// Reads objects and passes their new records to `visit`, in the order of the keys. A line that
    /// is not JSON is skipped.
    pub(super) async fn read<E: From<AdminError>>(
        &mut self,
        keys: Vec<String>,
        mut visit: impl FnMut(Value) -> Result<(), E>,
    ) -> Result<(), E> {
        let bucket = &self.bucket;
        let mut objects = stream::iter(keys)
            .map(|key| async move { bucket.read(&key).await.map_err(AdminError::from) })
            .buffered(PARALLEL_READS);
        while let Some(object) = objects.try_next().await? {
            let text = String::from_utf8_lossy(&object);
            for record in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                let id = record.get("messageId").and_then(Value::as_str);
                if id.is_none_or(|id| self.seen.insert(id.to_owned())) {
                    visit(record)?;
                }
            }
        }
        Ok(())
    }
}

/// Returns a time of each day from the day of `from` to the day of `to`.
pub(super) fn days(from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let mut days = vec![from];
    let mut day = from;
    while archive_day(day) < archive_day(to) {
        let Ok(next) = day.checked_add(DAY) else { break };
        day = next;
        days.push(day);
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_include_the_first_and_the_last_day() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let prefixes =
            |from, to| -> Vec<_> { days(at(from), at(to)).into_iter().map(archive_day).collect() };
        assert_eq!(
            prefixes("2026-02-27T23:00:00Z", "2026-03-01T01:00:00Z"),
            ["audit/2026/02/27/", "audit/2026/02/28/", "audit/2026/03/01/"]
        );
        assert_eq!(prefixes("2026-03-01T01:00:00Z", "2026-03-01T23:00:00Z").len(), 1);
        assert_eq!(prefixes("2026-03-02T01:00:00Z", "2026-03-01T23:00:00Z").len(), 1);
    }
}
