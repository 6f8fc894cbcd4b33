use crate::{Phase, Transfer};

/// The whole percentage that status shows, as the viewer's contract defines it:
/// 0 on creation, 10 once ORDS has pushed the document, 10→100 with the bytes
/// acknowledged by OneDrive, 100 only when the delivery is verified.
///
/// Never goes down within an attempt, because none of its inputs does.
#[must_use]
pub fn percent(transfer: &Transfer) -> u8 {
    if transfer.phase == Phase::Completed {
        return 100;
    }
    // Before the push, a source is that of an earlier run.
    let pushed = transfer.source.as_ref().filter(|_| transfer.phase > Phase::Pushing);
    let Some(source) = pushed else {
        return 0;
    };
    if source.size == 0 {
        return 10;
    }
    let done = u128::from(transfer.bytes_done.min(source.size));
    // At most 99: the multiplication comes before the division (the old service
    // divided first and stuck at 10), and 100 belongs to Completed alone.
    let share = done * 90 / u128::from(source.size);
    u8::try_from((10 + share).min(99)).unwrap_or(99)
}
