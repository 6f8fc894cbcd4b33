//! Webhook notifications, in memory.

use docferry_app::ports::{NotificationOutbox, OUTBOX_RESEND_DELAY, StoreError};
use docferry_domain::ids::TransferId;
use docferry_domain::job::WebhookNotification;
use jiff::Timestamp;

use super::{InMemoryTransferStore, Tables};

impl Tables {
    /// Stores a webhook notification, if there is one.
    pub(super) fn store_notification(&mut self, notice: Option<WebhookNotification>) {
        if let Some(notice) = notice {
            let due = notice.ended_at + OUTBOX_RESEND_DELAY;
            self.notices.insert((notice.job_id.clone(), notice.end_number), (notice, due));
        }
    }
}

impl InMemoryTransferStore {
    /// Webhook notifications that have not been queued yet.
    #[must_use]
    pub fn stored_notifications(&self) -> Vec<WebhookNotification> {
        self.tables().notices.values().map(|(notice, _)| notice.clone()).collect()
    }
}

impl NotificationOutbox for InMemoryTransferStore {
    async fn notice(
        &self,
        job: &TransferId,
        execution_number: u32,
    ) -> Result<Option<WebhookNotification>, StoreError> {
        let found = self.tables().notices.get(&(job.clone(), execution_number)).cloned();
        Ok(found.map(|(notice, _)| notice))
    }

    async fn remove_queued_notification(
        &self,
        job: &TransferId,
        execution_number: u32,
    ) -> Result<(), StoreError> {
        self.tables().notices.remove(&(job.clone(), execution_number));
        Ok(())
    }

    async fn unsent_notifications(
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
