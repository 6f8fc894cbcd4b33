//! Questions: what a caller may see of a transfer.

use docferry_domain::{Transfer, TransferId};
use jiff::{SignedDuration, Timestamp};

use crate::initiate::later;
use crate::ports::{Clock, StoreError, TransferStore};

/// The transfer, if it exists and belongs to `owner`: a foreign id looks exactly
/// like an unknown one. So does one that ended longer than `record_ttl` ago: that
/// follows from the clock, because a table may forget an item days after its time.
///
/// # Errors
/// Only the store's.
pub async fn transfer_of(
    store: &impl TransferStore,
    clock: &impl Clock,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<Option<Transfer>, StoreError> {
    let now = clock.now();
    let is_shown = |t: &Transfer| t.owner == owner && is_kept(t.ended_at, record_ttl, now);
    Ok(store.get(id).await?.filter(is_shown))
}

/// Whether what ended then is still shown.
pub(crate) fn is_kept(
    ended_at: Option<Timestamp>,
    record_ttl: SignedDuration,
    now: Timestamp,
) -> bool {
    ended_at.is_none_or(|ended| later(ended, record_ttl) > now)
}
