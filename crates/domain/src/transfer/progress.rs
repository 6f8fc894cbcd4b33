//! Progress of a transfer in percent. ORDS is the document source; a *push* is the request to ORDS
//! to copy the document to the exchange bucket.

use crate::phase::Phase;
use crate::transfer::Transfer;

/// Returns the percentage that status responses show, as the contract with SCV defines it.
///
/// The value is 0 until ORDS has pushed the document, and then 10. From there it grows with the
/// acknowledged bytes. It is 100 only when the delivery is verified.
///
/// It never decreases within a run, because its inputs never decrease.
#[must_use]
pub fn percent(transfer: &Transfer) -> u8 {
    if transfer.phase == Phase::Completed {
        return 100;
    }
    // Before the push of this run, `source` belongs to an earlier run.
    let pushed = transfer.source.as_ref().filter(|_| transfer.phase > Phase::Pushing);
    let Some(source) = pushed else {
        return 0;
    };
    if source.size == 0 {
        return 10;
    }
    let acknowledged = u128::from(transfer.bytes_done.min(source.size));
    // Multiply before dividing: the service before docferry divided first, so its value stayed at
    // 10. Cap at 99, because 100 means completed.
    let share = acknowledged * 90 / u128::from(source.size);
    u8::try_from((10 + share).min(99)).unwrap_or(99)
}
