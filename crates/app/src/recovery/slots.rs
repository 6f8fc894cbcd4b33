//! Part of the sweeper that frees unused slots. A *slot* is the right to move bytes. Its *holder*
//! is a transfer.

use docferry_domain::slots::{Pool, SlotState};
use jiff::Timestamp;

use crate::TaskError;
use crate::ports::{Store, StoreError};

/// Frees the slots of transfers that have ended or do not exist, and of transfers that hold no slot
/// according to their records. Returns the number of freed slots.
///
/// Normally, the transaction that ends a transfer frees its slot. This function repairs slots after
/// manual changes to the table, and slots of older versions of docferry. Each sweep checks `limit`
/// holders. The position of the first one moves on every minute.
pub(super) async fn reclaim_slots(
    store: &impl Store,
    pool: Pool,
    limit: usize,
    now: Timestamp,
) -> Result<usize, TaskError> {
    let mut reclaimed = 0;
    let holders: Vec<_> = store.slots(pool).await?.holders.into_keys().collect();
    let minute = usize::try_from(now.as_second() / 60).unwrap_or_default();
    let first = minute.saturating_mul(limit) % holders.len().max(1);
    let checked = holders.len().min(limit);
    for holder in holders.iter().cycle().skip(first).take(checked) {
        let transfer = match store.get(holder).await {
            // A newer version may have written the record and still use the slot.
            Err(StoreError::Corrupt(_)) => continue,
            read => read?,
        };
        let uses_slot = transfer.is_some_and(|transfer| {
            transfer.slot_state == SlotState::Holding && !transfer.phase.is_terminal()
        });
        if !uses_slot && store.reclaim(pool, holder).await? {
            tracing::warn!(transfer.id = holder.as_str(), "slot reclaimed");
            reclaimed += 1;
        }
    }
    Ok(reclaimed)
}
