//! Writes the records that belong to no single transfer: the holders of slots, the queue for slots,
//! and the counters that limit calls.

use docferry_app::ports::{CallCounter as _, Pause, ThrottleBudget as _};
use docferry_aws::{DynamoQuota, DynamoThrottleBudget};
use docferry_domain::slots::Pool;

use crate::keys;
use crate::labels::{counter, slots};
use crate::times::{SECOND_CALL, SHARED_PAUSE_BEGIN, SHARED_PAUSE_END, START};
use crate::values::{GRAPH_BUDGET, OWNER, onedrive_transfer};
use crate::write_onedrive::QUEUED_TRANSFER;
use crate::writer::Writer;

impl Writer {
    /// Saves the slots and the queue entry that the transfers into OneDrives have left in the
    /// table.
    pub(crate) async fn slots_and_queue(&mut self) {
        self.save_item(slots::HOLDERS, keys::slot_holders(Pool::Onedrive)).await;

        let entry = onedrive_transfer(QUEUED_TRANSFER).queue_entry();
        self.save_item(slots::QUEUE_ENTRY, keys::queue_entry(Pool::Onedrive, &entry)).await;
    }

    /// Writes the counters that limit calls.
    pub(crate) async fn counters(&mut self) {
        self.calls_of_minute().await;
        self.shared_pause().await;
    }

    /// Writes the count of two API calls of one caller in the same minute.
    async fn calls_of_minute(&mut self) {
        let quota = DynamoQuota::new(self.table.client.clone(), self.table.name.clone());
        quota.count_call(OWNER, START).await.unwrap();
        quota.count_call(OWNER, SECOND_CALL).await.unwrap();

        let minute = START.as_second() / 60;
        self.save_item(counter::CALLS_OF_MINUTE, keys::calls_of_minute(OWNER, minute)).await;
    }

    /// Writes a pause during which no transfer calls Microsoft Graph.
    async fn shared_pause(&mut self) {
        let (client, table_name) = (self.table.client.clone(), self.table.name.clone());
        let budget = DynamoThrottleBudget::new(client, table_name, GRAPH_BUDGET);
        let pause = Pause { since: SHARED_PAUSE_BEGIN, until: SHARED_PAUSE_END };
        budget.pause(pause).await.unwrap();

        self.save_item(counter::SHARED_PAUSE, keys::shared_pause(GRAPH_BUDGET)).await;
    }
}
