//! Removal of the copies of withdrawn documents from the delivery bucket.

use jiff::{SignedDuration, Timestamp};

use super::types::WithdrawalsSwept;
use crate::TaskError;
use crate::delivery::publish::remove;
use crate::finish::FinishPorts;
use crate::ports::{ArtifactStore as _, Clock as _, FinishAdapters, RegistryWork, Withdrawal};
use crate::time::saturating_add;

/// Time after a withdrawal during which each sweep looks for copies. A step that asked the registry
/// just before the withdrawal may still record a copy, but its invocation ends within 15 minutes.
const REMOVAL_PERIOD: SignedDuration = SignedDuration::from_mins(30);

/// Removes the copies of the documents that were withdrawn in the last 30 minutes, the oldest
/// withdrawal first, until `stop_at`. `page_size` withdrawals are listed at a time.
///
/// Every sweep calls this function. If the removal of one document's copies fails, the function
/// continues with the next document, and the next sweep repeats the removal.
///
/// # Errors
/// The error of the registry when the withdrawals cannot be listed.
pub async fn remove_withdrawn_copies<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    registry: &impl RegistryWork,
    page_size: usize,
    stop_at: Timestamp,
) -> Result<WithdrawalsSwept, TaskError> {
    let mut swept = WithdrawalsSwept::default();
    let mut last = None;
    loop {
        let page = registry.withdrawals(last.as_ref(), page_size).await?;
        for withdrawal in &page {
            if ports.clock.now() >= stop_at {
                return Ok(swept);
            }
            match remove_copies(ports, registry, withdrawal).await {
                Ok(removed) => swept.removed += removed,
                Err(error) => {
                    swept.failed += 1;
                    let (id, code) = (withdrawal.id.as_str(), error.code.as_str());
                    tracing::warn!(document.id = id, error.code = code, "copies not removed");
                }
            }
        }
        last = page.into_iter().next_back();
        if last.is_none() {
            return Ok(swept);
        }
    }
}

/// Removes all copies of a withdrawn document. Returns how many there were.
async fn remove_copies<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    registry: &impl RegistryWork,
    withdrawal: &Withdrawal,
) -> Result<usize, TaskError> {
    // The time is read before the list. Otherwise, a copy that is recorded between the list and the
    // end of the period would be missed.
    let is_last = ports.clock.now() >= saturating_add(withdrawal.withdrawn_at, REMOVAL_PERIOD);
    let mut removed = 0;
    for key in ports.store.artifacts_of(&withdrawal.obj_guid).await? {
        if ports.store.give_up_artifact(&key).await? {
            remove(ports.store, ports.artifacts, &key).await?;
            removed += 1;
        }
    }
    if is_last {
        registry.complete_withdrawal(withdrawal).await?;
    }
    Ok(removed)
}
