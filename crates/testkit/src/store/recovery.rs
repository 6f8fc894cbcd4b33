//! In-memory implementation of the port [`RecoveryStore`]: the index of unfinished work, which the
//! sweeper reads.

use docferry_app::ports::{RecoveryStore, StoreError, WorkItem, WriteError};
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::InMemoryTransferStore;
use super::guards::{not_ending, same_execution};

impl RecoveryStore for InMemoryTransferStore {
    async fn unfinished(&self, now: Timestamp, limit: usize) -> Result<Vec<WorkItem>, StoreError> {
        let found = self.tables().due_before(now).into_iter().map(|(_, due)| due);
        Ok(found.filter(|due| !matches!(due, WorkItem::Artifact(_))).take(limit).collect())
    }

    async fn reschedule(&self, what: &WorkItem, due: Timestamp) -> Result<(), StoreError> {
        if let Some(known) = self.tables().due.get_mut(what) {
            *known = due;
        }
        Ok(())
    }

    async fn next_execution(&self, id: &TransferId, from: u32) -> Result<Transfer, WriteError> {
        self.edit(id, not_ending(same_execution(from)), |transfer| {
            transfer.execution_number += 1;
            transfer.clone()
        })
    }

    async fn mark_closed(&self, id: &TransferId, execution_number: u32) -> Result<(), StoreError> {
        self.tables().close(id, execution_number);
        Ok(())
    }

    async fn mark_cleaned_up(
        &self,
        id: &TransferId,
        execution_number: u32,
        _purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let due = WorkItem::Transfer(id.clone());
        if tables.due.contains_key(&due) && tables.close(id, execution_number) {
            tables.due.remove(&due);
        }
        Ok(())
    }
}
