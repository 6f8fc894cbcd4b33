//! Read access to transfers for their owners.

use docferry_domain::ids::TransferId;
use docferry_domain::transfer::Transfer;
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Clock, StoreError, TransferStore};
use crate::time::saturating_add;

/// Returns the transfer; `None` if it does not exist, belongs to another owner, or ended more than
/// `record_ttl` ago. The clock decides the last case, because DynamoDB may delete an item days
/// after its expiry.
///
/// # Errors
/// The errors of the store.
pub async fn transfer_of(
    store: &impl TransferStore,
    clock: &impl Clock,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<Option<Transfer>, StoreError> {
    let now = clock.now();
    let is_shown = |transfer: &Transfer| {
        transfer.spec.owner == owner && is_retained(transfer.ended_at, record_ttl, now)
    };
    Ok(store.get(id).await?.filter(is_shown))
}

/// Returns whether the record of a transfer or job that ended at `ended_at` is still shown.
pub(crate) fn is_retained(
    ended_at: Option<Timestamp>,
    record_ttl: SignedDuration,
    now: Timestamp,
) -> bool {
    ended_at.is_none_or(|ended| saturating_add(ended, record_ttl) > now)
}
