//! Progress of a transfer in percent.

use crate::phase::Phase;
use crate::transfer::Transfer;

/// Returns the percentage that status answers show, as the contract with SCV defines it: 0
/// at first, 10 once ORDS has pushed the document, 10 to 100 with the acknowledged bytes,
/// and 100 only when the delivery is verified.
///
/// It never decreases within a run, because none of its inputs does.
#[must_use]
pub fn percent(transfer: &Transfer) -> u8 {
    if transfer.phase == Phase::Completed {
        return 100;
    }
    // Before the push of this run, `source` is that of an earlier run.
    let pushed = transfer.source.as_ref().filter(|_| transfer.phase > Phase::Pushing);
    let Some(source) = pushed else {
        return 0;
    };
    if source.size == 0 {
        return 10;
    }
    let done = u128::from(transfer.bytes_done.min(source.size));
    // Multiply before dividing: the old service divided first, so its value stayed at 10.
    // Cap at 99, because 100 means completed.
    let share = done * 90 / u128::from(source.size);
    u8::try_from((10 + share).min(99)).unwrap_or(99)
}
