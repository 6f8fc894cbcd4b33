//! In-memory implementation of the port [`NotificationOutbox`]: webhook notifications to be queued.

use docferry_app::ports::{NotificationOutbox, OUTBOX_RESEND_DELAY, StoreError};
use docferry_domain::ids::TransferId;
use docferry_domain::job::WebhookNotification;
use jiff::Timestamp;

use super::{InMemoryTransferStore, Tables};

impl Tables {
    /// Stores a webhook notification, if there is one.
    pub(super) fn store_notification(&mut self, notification: Option<WebhookNotification>) {
        if let Some(notification) = notification {
            let due = notification.ended_at + OUTBOX_RESEND_DELAY;
            self.notifications.insert(
                (notification.job_id.clone(), notification.end_number),
                (notification, due),
            );
        }
    }
}

impl InMemoryTransferStore {
    /// Returns the webhook notifications that have not been queued yet.
    #[must_use]
    pub fn stored_notifications(&self) -> Vec<WebhookNotification> {
        self.tables().notifications.values().map(|(notification, _)| notification.clone()).collect()
    }
}

impl NotificationOutbox for InMemoryTransferStore {
    async fn notification(
        &self,
        job: &TransferId,
        end_number: u32,
    ) -> Result<Option<WebhookNotification>, StoreError> {
        let found = self.tables().notifications.get(&(job.clone(), end_number)).cloned();
        Ok(found.map(|(notification, _)| notification))
    }

    async fn remove_queued_notification(
        &self,
        job: &TransferId,
        end_number: u32,
    ) -> Result<(), StoreError> {
        self.tables().notifications.remove(&(job.clone(), end_number));
        Ok(())
    }

    async fn unsent_notifications(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TransferId, u32)>, StoreError> {
        let tables = self.tables();
        let mut found: Vec<_> =
            tables.notifications.iter().filter(|(_, (_, due))| *due < now).collect();
        found.sort_by_key(|(_, (_, due))| *due);
        Ok(found.into_iter().take(limit).map(|(key, _)| key.clone()).collect())
    }
}
