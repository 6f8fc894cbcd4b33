//! Every ending of a transfer: the only way into a terminal phase, then clean-up.

mod release;
mod settle;

use docferry_domain::{FailureCode, Outcome, Phase, Target, Transfer};
use jiff::SignedDuration;

use crate::admit::Admitter;
use crate::bundle::tend;
use crate::initiate::later;
use crate::ports::{Artifacts, Clock, Drive, Due, Sealer, Staging, Store, Workflow, WriteError};
use crate::publish::{artifact_key, discard, has_delivered};
use crate::task::load;
use crate::{StepOutcome, TaskError, TaskInput};

pub(crate) use release::next_check;
use release::release_source;
use settle::{close_session, settle};

/// How long after its transfer has ended a document may still come.
pub(crate) const LATE_PUSH_WATCH: SignedDuration = SignedDuration::from_hours(1);

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct FinalizeSettings {
    /// How long an ended record is kept.
    pub record_ttl: SignedDuration,
    /// How long after the end a document is looked for that was pushed and had not
    /// arrived, or may arrive again, so that it can be removed when it comes.
    pub late_push_watch: SignedDuration,
}

impl Default for FinalizeSettings {
    fn default() -> Self {
        Self { record_ttl: SignedDuration::from_hours(168), late_push_watch: LATE_PUSH_WATCH }
    }
}

/// The ports that an ending needs.
#[derive(Debug)]
pub struct Ports<'a, S, D, G, L, A, C> {
    /// Records.
    pub store: &'a S,
    /// Where a session may be open.
    pub drive: &'a D,
    /// Where the source copy lies.
    pub staging: &'a G,
    /// Where downloads lie.
    pub artifacts: &'a A,
    /// Opens sealed upload URLs.
    pub sealer: &'a L,
    /// The time.
    pub clock: &'a C,
}

/// Ends a transfer and removes what it leaves behind: the upload session, and
/// the source copy unless another transfer still refers to it.
///
/// `stopped_by` is the error name that stopped the workflow; `None` after the
/// last step. May run any number of times: who ends it first decides, the
/// clean-up is repeated until it succeeds. The source copy is deleted only after
/// the terminal phase is durable. A step that gave way to another run of itself
/// ends nothing: whoever it gave way to, or `sweep`, does.
///
/// The slot that it frees goes to the next in the queue, before the clean-up. The
/// last document of a bundle ends the bundle.
///
/// # Errors
/// Retryable codes while the store, the drive or the exchange bucket does not
/// answer; the transfer may have ended already, then only clean-up is missing.
/// Once the transfer's deadline has passed, it is ended whatever does not answer.
pub async fn finalize<S, D, G, L, A, C, W>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    admitter: &Admitter<'_, S, W, C>,
    settings: FinalizeSettings,
    task: &TaskInput,
    stopped_by: Option<&str>,
) -> Result<StepOutcome<Phase>, TaskError>
where
    S: Store,
    D: Drive,
    G: Staging,
    L: Sealer,
    A: Artifacts,
    C: Clock,
    W: Workflow,
{
    let transfer = match end(ports, task, stopped_by).await? {
        StepOutcome::Done(transfer) => transfer,
        StepOutcome::RetryLater { reason } => return Ok(StepOutcome::RetryLater { reason }),
    };
    if !transfer.phase.is_terminal() {
        return Ok(StepOutcome::Done(transfer.phase));
    }
    admitter.admit_or_leave(transfer.pool).await;
    // What the bundle still waits for may be just this clean-up: it is done all the same.
    let tended = match task.transfer_id.in_bundle() {
        Some((bundle, _)) => tend(admitter, settings.record_ttl, &bundle).await,
        None => Ok(StepOutcome::Done(())),
    };
    match transfer.target {
        // Again: an invocation that was still running may have stored one meanwhile.
        Target::Onedrive(_) => close_session(ports, task, &transfer).await?,
        Target::Download(_) => withdraw_artifact(ports, &transfer).await?,
    }
    let (id, attempt) = (&task.transfer_id, transfer.attempt);
    if release_source(ports, settings, &transfer).await? {
        let purge_at = later(ports.clock.now(), settings.record_ttl);
        ports.store.mark_clean(id, attempt, purge_at).await?;
    } else {
        if !transfer.settled {
            ports.store.mark_settled(id, attempt).await?;
        }
        let next = next_check(&transfer, ports.clock.now());
        ports.store.postpone(&Due::Transfer(id.clone()), next).await?;
    }
    Ok(tended?.map(|()| transfer.phase))
}

/// What a download has left in the delivery bucket, but for what it has delivered.
async fn withdraw_artifact<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    transfer: &Transfer,
) -> Result<(), TaskError>
where
    S: Store,
    A: Artifacts,
{
    let key = artifact_key(transfer);
    // Nothing was written before the document had arrived.
    let reused = transfer.delivery.is_some() && transfer.object.is_none();
    if reused || has_delivered(transfer, &key) {
        // Two invocations may have begun an upload each.
        return Ok(ports.artifacts.abort(&key).await?);
    }
    discard(ports.store, ports.artifacts, &key).await
}

/// Writes the end, unless it is written: the record is terminal then, or belongs
/// to a newer attempt, or to whoever `stopped_by` gave way to.
async fn end<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    task: &TaskInput,
    stopped_by: Option<&str>,
) -> Result<StepOutcome<Transfer>, TaskError>
where
    S: Store,
    D: Drive,
    G: Staging,
    L: Sealer,
    C: Clock,
{
    let id = &task.transfer_id;
    let mut transfer = load(ports.store, task).await?;
    let gave_way = [FailureCode::Superseded, FailureCode::AlreadyEnded];
    if stopped_by.is_some_and(|name| gave_way.iter().any(|code| code.as_str() == name)) {
        return Ok(StepOutcome::Done(transfer));
    }
    let live = |t: &Transfer| !t.phase.is_terminal() && t.attempt == task.attempt;
    let mut unverified = None;
    if live(&transfer) && transfer.delivery.is_none() {
        let reason = match Outcome::decide(&transfer, stopped_by) {
            Outcome::Failed(code) => code,
            Outcome::Canceled | Outcome::Completed => FailureCode::Canceled,
        };
        // From here on nothing new begins; what is under way may still complete.
        transfer = match ports.store.begin_ending(id, task.attempt, reason).await {
            Ok(transfer) => transfer,
            Err(WriteError::Ended) => load(ports.store, task).await?,
            Err(error) => return Err(error.into()),
        };
        if live(&transfer) && transfer.delivery.is_none() && transfer.target.drive().is_some() {
            match Box::pin(settle(ports, task, &transfer)).await? {
                StepOutcome::Done(code) => unverified = code,
                StepOutcome::RetryLater { reason } => {
                    return Ok(StepOutcome::RetryLater { reason });
                }
            }
        }
    }
    while live(&transfer) {
        transfer = load(ports.store, task).await?;
        if !live(&transfer) {
            break;
        }
        let outcome = Outcome::decide(&transfer, stopped_by).unless_unverified(unverified);
        transfer = match ports.store.finish(&transfer, outcome, ports.clock.now()).await {
            Ok(transfer) => transfer,
            Err(WriteError::Ended) => load(ports.store, task).await?,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(StepOutcome::Done(transfer))
}
