//! Webhook notifications, in memory.

use docferry_app::ports::{Notices, OUTBOX_REST, StoreError};
use docferry_domain::{Notice, TransferId};
use jiff::Timestamp;

use super::{InMemoryTransferStore, Tables};

impl Tables {
    /// Stores a webhook notification, if there is one.
    pub(super) fn put_down(&mut self, notice: Option<Notice>) {
        if let Some(notice) = notice {
            let due = notice.ended_at + OUTBOX_REST;
            self.notices.insert((notice.job_id.clone(), notice.attempt), (notice, due));
        }
    }
}

impl InMemoryTransferStore {
    /// Webhook notifications that have not been queued yet.
    #[must_use]
    pub fn waiting_notices(&self) -> Vec<Notice> {
        self.tables().notices.values().map(|(notice, _)| notice.clone()).collect()
    }
}

impl Notices for InMemoryTransferStore {
    async fn notice(&self, job: &TransferId, attempt: u32) -> Result<Option<Notice>, StoreError> {
        let found = self.tables().notices.get(&(job.clone(), attempt)).cloned();
        Ok(found.map(|(notice, _)| notice))
    }

    async fn notice_queued(&self, job: &TransferId, attempt: u32) -> Result<(), StoreError> {
        self.tables().notices.remove(&(job.clone(), attempt));
        Ok(())
    }

    async fn resting_notices(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TransferId, u32)>, StoreError> {
        let tables = self.tables();
        let mut found: Vec<_> = tables.notices.iter().filter(|(_, (_, due))| *due < now).collect();
        found.sort_by_key(|(_, (_, due))| *due);
        Ok(found.into_iter().take(limit).map(|(key, _)| key.clone()).collect())
    }
}
