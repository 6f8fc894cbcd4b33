//! Removal of the copies of withdrawn documents from the delivery bucket.

use jiff::{SignedDuration, Timestamp};

use super::types::WithdrawalsSwept;
use crate::TaskError;
use crate::delivery::publish::remove;
use crate::finish::FinishPorts;
use crate::ports::{ArtifactStore as _, Clock as _, FinishAdapters, RegistryWork, Withdrawal};
use crate::time::saturating_add;

/// Time for which the copies of a withdrawn document are removed. An invocation that has asked the
/// registry just before the withdrawal may still record a copy, but it ends earlier than this.
const REMOVAL_PERIOD: SignedDuration = SignedDuration::from_mins(30);

/// Removes the copies of at most `limit` withdrawn documents until `stop_at`.
///
/// Every sweep calls this function. It handles each withdrawal repeatedly, until 30 minutes have
/// passed. A withdrawal that fails does not block others, and the next sweep repeats it.
///
/// # Errors
/// The error of the registry when the withdrawals cannot be listed.
pub async fn remove_withdrawn_copies<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    registry: &impl RegistryWork,
    limit: usize,
    stop_at: Timestamp,
) -> Result<WithdrawalsSwept, TaskError> {
    let mut swept = WithdrawalsSwept::default();
    for withdrawal in registry.withdrawals(limit).await? {
        if ports.clock.now() >= stop_at {
            break;
        }
        match remove_copies(ports, registry, &withdrawal).await {
            Ok(removed) => swept.removed += removed,
            Err(error) => {
                swept.failed += 1;
                let (id, code) = (withdrawal.id.as_str(), error.code.as_str());
                tracing::warn!(document.id = id, error.code = code, "copies not removed");
            }
        }
    }
    Ok(swept)
}

/// Removes all copies of a withdrawn document. Returns how many there were.
async fn remove_copies<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    registry: &impl RegistryWork,
    withdrawal: &Withdrawal,
) -> Result<usize, TaskError> {
    // The time is read first: a copy that is recorded later belongs to the next sweep.
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
