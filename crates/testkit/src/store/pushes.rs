//! In-memory implementation of the port [`PushStore`]: pushes whose object has not arrived yet.

use docferry_app::ports::{PushRecord, PushStore, StoreError, WriteError};
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::{LateArrivalKey, OutstandingPush, PushedSource};

use super::guards::same_execution;
use super::{InMemoryTransferStore, exchange_keys};

impl PushStore for InMemoryTransferStore {
    async fn announce_push(
        &self,
        id: &TransferId,
        push: &OutstandingPush,
    ) -> Result<OutstandingPush, StoreError> {
        Ok(self.tables().announce(id, push))
    }

    async fn withdraw_announcement(&self, id: &TransferId) -> Result<(), StoreError> {
        self.tables().announced.remove(id);
        Ok(())
    }

    async fn pushes_in_flight(&self) -> Result<Vec<OutstandingPush>, StoreError> {
        Ok(self.tables().announced.values().cloned().collect())
    }

    async fn record_push(
        &self,
        id: &TransferId,
        execution_number: u32,
        push: &OutstandingPush,
        source: &PushedSource,
    ) -> Result<PushRecord, WriteError> {
        self.tables().record_push(id, execution_number, push, source)
    }

    async fn record_late_arrival_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        owed: &LateArrivalKey,
    ) -> Result<(), WriteError> {
        self.edit(id, same_execution(execution_number), |transfer| {
            exchange_keys::add_late_arrival_key(transfer, owed);
        })
    }
}
