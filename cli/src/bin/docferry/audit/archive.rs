//! Reader of the archive of the audit trail, an S3 bucket. It lists the objects of some days and
//! reads their records.
//!
//! Each object has one record in each line, as JSON. The key of an object contains the day and time
//! of its archiving, so the order of keys is the order of time.

use std::collections::HashSet;

use docferry_app::audit::archive_day;
use docferry_app::ports::AuditArchive as _;
use docferry_aws::S3AuditArchive;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::admin::AdminError;

/// Number of keys in one page of a list.
const PAGE_SIZE: usize = 1_000;
/// Number of objects that are read at the same time.
const PARALLEL_READS: usize = 8;
/// Length of a day.
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Archive of the audit trail. Some records are archived twice; the reader returns each of them
/// once.
pub(super) struct Archive {
    bucket: S3AuditArchive,
    /// Message ids of the records that were returned.
    seen_message_ids: HashSet<String>,
    /// Number of lines that were skipped because they are not JSON.
    unreadable_lines: u64,
}

impl Archive {
    /// Creates a reader of the bucket.
    pub(super) fn new(bucket: S3AuditArchive) -> Self {
        Self { bucket, seen_message_ids: HashSet::new(), unreadable_lines: 0 }
    }

    /// Returns the number of lines that were skipped because they are not JSON.
    pub(super) const fn unreadable_lines(&self) -> u64 {
        self.unreadable_lines
    }

    /// Lists the keys after `after` that begin with `prefix`, in the order of time.
    pub(super) async fn keys(&self, prefix: &str, after: &str) -> Result<Vec<String>, AdminError> {
        let (mut keys, mut after) = (Vec::new(), after.to_owned());
        loop {
            let page = self.bucket.list(prefix, &after, PAGE_SIZE).await?;
            let is_last_page = page.len() < PAGE_SIZE;
            keys.extend(page);
            match keys.last() {
                Some(last_key) if !is_last_page => after.clone_from(last_key),
                _ => return Ok(keys),
            }
        }
    }

    /// Reads objects and passes their records to `visit`, in the order of the keys. Records that
    /// were passed before are skipped.
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
            for line in text.lines() {
                let Ok(record) = serde_json::from_str::<Value>(line) else {
                    self.unreadable_lines += 1;
                    continue;
                };
                let message_id = record.get("messageId").and_then(Value::as_str);
                // A record without an id is always passed on.
                if message_id.is_none_or(|id| self.seen_message_ids.insert(id.to_owned())) {
                    visit(record)?;
                }
            }
        }
        Ok(())
    }
}

/// Returns one time in each day, from the day of `from` to the day of `to`.
pub(super) fn days(from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let mut times = vec![from];
    let mut time = from;
    while archive_day(time) < archive_day(to) {
        let Ok(next_time) = time.checked_add(DAY) else { break };
        time = next_time;
        times.push(time);
    }
    times
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
