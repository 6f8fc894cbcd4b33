//! Looks whether the document has arrived in the exchange bucket.

use docferry_domain::{
    ArrivalRules, ArrivalVerdict, ArrivedObject, FailureCode, Phase, Pool, judge_arrival,
};
use jiff::SignedDuration;

use crate::admit::Admitter;
use crate::ports::{Clock, SlotStore, Staging, TransferStore, Workflow};
use crate::task::{admit, load};
use crate::turn::step_aside;
use crate::{TaskError, TaskInput};

/// A document that takes longer than this to arrive waits without a slot. Most are
/// there at the first look or the second.
const SHORT_ARRIVAL: SignedDuration = SignedDuration::from_secs(10);

/// What the workflow does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Go on to where it is delivered.
    Arrived(Pool),
    /// Look again after so many seconds.
    Wait {
        /// At least 1.
        seconds: u32,
    },
}

/// One look. The wait between two looks is the workflow's, not the function's.
///
/// # Errors
/// [`FailureCode::ArrivalTimeout`] or [`FailureCode::SourceSizeMismatch`] at the
/// deadline; others as the ports fail.
pub async fn poll<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    staging: &impl Staging,
    rules: ArrivalRules,
    task: &TaskInput,
) -> Result<Arrival, TaskError>
where
    S: TransferStore + SlotStore,
    W: Workflow,
    C: Clock,
{
    let (store, clock) = (admitter.store, admitter.clock);
    let transfer = load(store, task).await?;
    admit(&transfer, task.attempt, clock.now())?;
    if transfer.phase >= Phase::Uploading {
        return Ok(Arrival::Arrived(transfer.pool));
    }
    let source = transfer.source.as_ref().ok_or(FailureCode::Internal)?;
    let head = staging.head(&source.key).await?;
    match (judge_arrival(source, head.as_ref(), clock.now(), rules), head) {
        (ArrivalVerdict::Arrived, Some(head)) => {
            let object = ArrivedObject { etag: head.etag, arrived_at: clock.now() };
            store.record_arrival(&task.transfer_id, task.attempt, &object).await?;
            Ok(Arrival::Arrived(transfer.pool))
        }
        (ArrivalVerdict::Wait { seconds }, _) => {
            if clock.now().duration_since(source.pushed_at) > SHORT_ARRIVAL {
                step_aside(admitter, &transfer).await;
            }
            Ok(Arrival::Wait { seconds })
        }
        (ArrivalVerdict::WrongSize, _) => Err(FailureCode::SourceSizeMismatch.into()),
        (ArrivalVerdict::NeverCame | ArrivalVerdict::Arrived, _) => {
            Err(FailureCode::ArrivalTimeout.into())
        }
    }
}
