//! Guards of writes: the conditions under which a transfer may be changed.

use docferry_app::ports::WriteError;
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::Transfer;

use super::InMemoryTransferStore;

impl InMemoryTransferStore {
    /// Changes a transfer that has not ended, if `allowed` permits it.
    pub(super) fn edit<T>(
        &self,
        id: &TransferId,
        allowed: impl FnOnce(&Transfer) -> Result<(), WriteError>,
        change: impl FnOnce(&mut Transfer) -> T,
    ) -> Result<T, WriteError> {
        let mut tables = self.tables();
        let transfer = tables.transfers.get_mut(id).ok_or(WriteError::NotFound)?;
        if transfer.phase.is_terminal() {
            return Err(WriteError::Ended);
        }
        allowed(transfer)?;
        Ok(change(transfer))
    }
}

/// Guard: the write belongs to the current execution.
pub(super) fn same_execution(
    execution_number: u32,
) -> impl FnOnce(&Transfer) -> Result<(), WriteError> {
    move |transfer| {
        if transfer.execution_number == execution_number { Ok(()) } else { Err(WriteError::Ended) }
    }
}

/// Guard: the write belongs to the current fencing epoch.
pub(super) fn same_epoch(epoch: u64) -> impl FnOnce(&Transfer) -> Result<(), WriteError> {
    move |transfer| if transfer.epoch == epoch { Ok(()) } else { Err(WriteError::Superseded) }
}

/// Guard: no ending has been decided, and `allowed` permits the write.
pub(super) fn not_ending(
    allowed: impl FnOnce(&Transfer) -> Result<(), WriteError>,
) -> impl FnOnce(&Transfer) -> Result<(), WriteError> {
    move |transfer| {
        if transfer.ending.is_none() { allowed(transfer) } else { Err(WriteError::Ended) }
    }
}
