//! Progress of a transfer in percent. ORDS is the document source; a *push* is the request to ORDS
//! to copy the document to the exchange bucket.

use crate::phase::Phase;
use crate::transfer::Transfer;

/// Percentage of a transfer whose document has been pushed, before the destination has acknowledged
/// any byte.
const PUSHED_PERCENT: u8 = 10;
/// Percentage points that the delivery of all bytes adds.
const DELIVERY_PERCENT: u128 = 90;
/// Highest percentage of a transfer that is not completed.
const MAX_OPEN_PERCENT: u8 = 99;

/// Returns the percentage that status responses show, as the contract with SCV defines it.
///
/// The value is 0 until ORDS has pushed the document, and then 10. Then it grows with the bytes
/// that the destination has acknowledged, up to 99. It is 100 only when the delivery is verified.
///
/// The percentage never decreases within a run, because the phase and the number of acknowledged
/// bytes never decrease.
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
        return PUSHED_PERCENT;
    }
    let acknowledged = u128::from(transfer.bytes_done.min(source.size));
    // Multiply before dividing. The service before docferry divided first, so its value stayed at
    // 10.
    let delivered_percent = acknowledged * DELIVERY_PERCENT / u128::from(source.size);
    let open_percent = u128::from(PUSHED_PERCENT) + delivered_percent;
    u8::try_from(open_percent).unwrap_or(MAX_OPEN_PERCENT).min(MAX_OPEN_PERCENT)
}
