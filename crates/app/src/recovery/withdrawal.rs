//! Removal of the copies of withdrawn documents from the delivery bucket, and the audit records of
//! withdrawals. Each sweep calls this code.
//!
//! A *withdrawal* makes a document unavailable for good. The document registry lists each
//! withdrawal until the copies of the document are removed and the audit record is sent:
//!
//! 1. The first sweep removes the copies, and sends the audit record.
//! 2. Each sweep in the next [`REMOVAL_PERIOD`] removes copies that were recorded late.
//! 3. The last sweep takes the withdrawal off the list.

use docferry_domain::audit::{AuditAction, AuditEvent};
use docferry_domain::transfer::DeliveredFile;
use jiff::{SignedDuration, Timestamp};

use super::types::WithdrawalsSwept;
use crate::TaskError;
use crate::delivery::artifact::remove;
use crate::finish::FinishPorts;
use crate::ports::{
    ArtifactStore as _, AuditQueue, Clock as _, FinishAdapters, RegistryWork, Withdrawal,
};
use crate::time::saturating_add;

/// Time after the audit record of a withdrawal during which each sweep removes copies. A step that
/// read the registry just before the withdrawal may still record a copy. Its invocation ends within
/// 15 minutes.
const REMOVAL_PERIOD: SignedDuration = SignedDuration::from_mins(30);

/// Actor in the audit record of a withdrawal that names no operator or system.
const UNKNOWN_ACTOR: &str = "unknown";

/// Handles the listed withdrawals, the oldest first, until `stop_at`. Reads pages of `page_size`
/// withdrawals.
///
/// If a withdrawal fails, continues with the other withdrawals. The next sweep retries the failed
/// withdrawal.
///
/// # Errors
/// The error of the registry when the withdrawals cannot be listed.
pub(super) async fn remove_withdrawn_copies<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    registry: &impl RegistryWork,
    queue: &impl AuditQueue,
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
            match sweep_withdrawal(ports, registry, queue, withdrawal).await {
                Ok(removed) => swept.removed += removed,
                Err(error) => {
                    swept.failed += 1;
                    let (id, code) = (withdrawal.id.as_str(), error.code.as_str());
                    tracing::warn!(
                        document.id = id,
                        error.code = code,
                        "sweep of a withdrawal failed"
                    );
                }
            }
        }
        last = page.into_iter().next_back();
        if last.is_none() {
            return Ok(swept);
        }
    }
}

/// Removes all copies of a withdrawn document, and sends the audit record if that was not done yet.
/// Returns the number of removed copies.
async fn sweep_withdrawal<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    registry: &impl RegistryWork,
    queue: &impl AuditQueue,
    withdrawal: &Withdrawal,
) -> Result<usize, TaskError> {
    // The time is read before the copies are listed. Otherwise, a copy that is recorded after the
    // list was read, but before the end of the period, would be missed.
    let now = ports.clock.now();
    // A failed removal does not prevent the audit record: its error is returned at the end.
    let removed = remove_copies(ports, withdrawal).await;
    match withdrawal.audited_at {
        None => {
            queue.send(&audit_event(withdrawal).into()).await?;
            registry.mark_withdrawal_audited(withdrawal, now).await?;
        }
        Some(audited_at)
            if removed.is_ok() && now >= saturating_add(audited_at, REMOVAL_PERIOD) =>
        {
            registry.complete_withdrawal(withdrawal).await?;
        }
        Some(_) => {}
    }
    removed
}

/// Removes all copies of a withdrawn document. Returns the number of removed copies.
async fn remove_copies<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    withdrawal: &Withdrawal,
) -> Result<usize, TaskError> {
    let mut removed = 0;
    for key in ports.store.artifacts_of(&withdrawal.obj_guid).await? {
        if ports.store.give_up_artifact(&key).await? {
            remove(ports.store, ports.artifacts, &key).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Returns the audit event of a withdrawal. A withdrawal that an older version of docferry wrote
/// has no file. Its event contains the GUID of the document instead.
fn audit_event(withdrawal: &Withdrawal) -> AuditEvent {
    let Withdrawal { id, obj_guid, withdrawn_at, withdrawn_by, subject, file, .. } = withdrawal;
    let message_id = format!("withdrawn/{}/{id}", withdrawn_at.as_millisecond());
    let actor = withdrawn_by.clone().unwrap_or_else(|| UNKNOWN_ACTOR.to_owned());
    let file_without_name = || DeliveredFile {
        id: obj_guid.as_str().to_owned(),
        file_name: String::new(),
        content_type: None,
    };
    AuditEvent {
        subject: subject.clone(),
        files: vec![file.clone().unwrap_or_else(file_without_name)],
        ..AuditEvent::new(message_id, AuditAction::Withdrawn, actor, *withdrawn_at)
    }
}
