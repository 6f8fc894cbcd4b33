//! Read access to transfers for their owners.

use docferry_domain::ids::TransferId;
use docferry_domain::transfer::Transfer;
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Clock, StoreError, TransferStore};
use crate::time::saturating_add;

/// Returns the transfer, if it exists and belongs to `owner`. A foreign id is indistinguishable
/// from an unknown one. A transfer that ended longer than `record_ttl` ago is not returned
/// either; the clock decides this, because DynamoDB may delete an item days after its expiry.
///
/// # Errors
/// Those of the store.
pub async fn transfer_of(
    store: &impl TransferStore,
    clock: &impl Clock,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<Option<Transfer>, StoreError> {
    let now = clock.now();
    let is_shown = |t: &Transfer| t.owner == owner && is_retained(t.ended_at, record_ttl, now);
    Ok(store.get(id).await?.filter(is_shown))
}

/// Returns whether a record that ended at `ended_at` is still visible.
pub(crate) fn is_retained(
    ended_at: Option<Timestamp>,
    record_ttl: SignedDuration,
    now: Timestamp,
) -> bool {
    ended_at.is_none_or(|ended| saturating_add(ended, record_ttl) > now)
}
