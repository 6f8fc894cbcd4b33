//! Every ending of a transfer: the only way into a terminal phase, then clean-up.

use docferry_domain::{
    Delivery, FailureCode, Outcome, Phase, SourceHash, Transfer, Verdict, verify_delivery,
};
use jiff::SignedDuration;

use crate::initiate::later;
use crate::ports::{
    Clock, Destination, Drive, Release, SealError, Sealer, SessionEnd, Staging, StagingError,
    TransferStore, WriteError,
};
use crate::task::load;
use crate::upload::SourceObject;
use crate::{TaskError, TaskInput};

/// How long other users of an exchange key wait for a deletion whose function
/// died in it. Longer than the function's own time-out.
const DELETION_LEASE: SignedDuration = SignedDuration::from_secs(90);

/// How much of the source is read, at most, to see whether a file at the
/// destination is ours: what an invocation of `upload` may have left unhashed.
const LARGEST_GAP_BYTES: u64 = 128 * 1024 * 1024;

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct FinalizeSettings {
    /// How long an ended record is kept.
    pub record_ttl: SignedDuration,
    /// How long after the end a document that was pushed and had not arrived is
    /// looked for, so that it can be removed when it comes after all.
    pub late_push_watch: SignedDuration,
}

impl Default for FinalizeSettings {
    fn default() -> Self {
        Self {
            record_ttl: SignedDuration::from_hours(168),
            late_push_watch: SignedDuration::from_hours(1),
        }
    }
}

/// The ports that an ending needs.
#[derive(Debug)]
pub struct Ports<'a, S, D, G, L, C> {
    /// Records.
    pub store: &'a S,
    /// Where a session may be open.
    pub drive: &'a D,
    /// Where the source copy lies.
    pub staging: &'a G,
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
/// # Errors
/// Retryable codes while the store, the drive or the exchange bucket does not
/// answer; the transfer may have ended already, then only clean-up is missing.
/// Once the transfer's deadline has passed, it is ended whatever does not answer.
pub async fn finalize<S, D, G, L, C>(
    ports: &Ports<'_, S, D, G, L, C>,
    settings: FinalizeSettings,
    task: &TaskInput,
    stopped_by: Option<&str>,
) -> Result<Phase, TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging,
    L: Sealer,
    C: Clock,
{
    let transfer = match end(ports, task, stopped_by).await {
        Ok(transfer) if transfer.phase.is_terminal() => transfer,
        Ok(transfer) => return Ok(transfer.phase),
        Err(error) => return Err(error),
    };
    // Again: an invocation that was still running may have stored one meanwhile.
    close_session(ports, task).await?;
    if release_source(ports, settings, &transfer).await? {
        let purge_at = later(ports.clock.now(), settings.record_ttl);
        ports.store.mark_clean(&task.transfer_id, purge_at).await?;
    }
    Ok(transfer.phase)
}

/// Writes the end, unless it is written: the record is terminal then, or belongs
/// to a newer attempt, or to whoever `stopped_by` gave way to.
async fn end<S, D, G, L, C>(
    ports: &Ports<'_, S, D, G, L, C>,
    task: &TaskInput,
    stopped_by: Option<&str>,
) -> Result<Transfer, TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging,
    L: Sealer,
    C: Clock,
{
    let id = &task.transfer_id;
    let mut transfer = load(ports.store, task).await?;
    let gave_way = [FailureCode::Superseded, FailureCode::AlreadyEnded];
    if stopped_by.is_some_and(|name| gave_way.iter().any(|code| code.as_str() == name)) {
        return Ok(transfer);
    }
    let live = |t: &Transfer| !t.phase.is_terminal() && t.attempt == task.attempt;
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
        if live(&transfer) && transfer.delivery.is_none() {
            settle(ports, task, &transfer).await?;
        }
    }
    while live(&transfer) {
        transfer = load(ports.store, task).await?;
        let outcome = Outcome::decide(&transfer, stopped_by);
        let finished = ports.store.finish(id, task.attempt, outcome, ports.clock.now()).await;
        transfer = match finished {
            Ok(transfer) => transfer,
            Err(WriteError::Ended) => load(ports.store, task).await?,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(transfer)
}

/// Closes what is open, so that no fragment lands after the end, and looks
/// whether the document is complete after all.
async fn settle<S, D, G, L, C>(
    ports: &Ports<'_, S, D, G, L, C>,
    task: &TaskInput,
    transfer: &Transfer,
) -> Result<(), TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging,
    L: Sealer,
    C: Clock,
{
    let may_wait =
        |error: &TaskError| error.code.is_retryable() && ports.clock.now() < transfer.deadline;
    let settled = async {
        // A session that was open cannot have been completed. Any other answer
        // proves nothing: a deletion whose answer was lost looks the same.
        if close_session(ports, task).await? != Some(SessionEnd::Deleted) {
            adopt(ports, transfer).await?;
        }
        Ok(())
    };
    match settled.await {
        // What will not pass, and what did not in time, keeps nothing from ending:
        // `sweep` goes on with the clean-up.
        Err(error) if !may_wait(&error) => {
            tracing::warn!(
                transfer.id = task.transfer_id.as_str(),
                error.code = error.code.as_str(),
                "ended without a look at the destination"
            );
            Ok(())
        }
        settled => settled,
    }
}

/// Ends the stored session, if there is one; tells how that went.
async fn close_session<S, D, G, L, C>(
    ports: &Ports<'_, S, D, G, L, C>,
    task: &TaskInput,
) -> Result<Option<SessionEnd>, TaskError>
where
    S: TransferStore,
    D: Drive,
    L: Sealer,
{
    let Some(record) = ports.store.session(&task.transfer_id).await? else { return Ok(None) };
    let end = match ports.sealer.open(&task.transfer_id, &record.session.sealed_url).await {
        Ok(url) => ports.drive.delete_session(&url).await?,
        // Lost to us; the drive forgets it by itself within minutes.
        Err(SealError::Unreadable) => SessionEnd::AlreadyGone,
        Err(error) => return Err(error.into()),
    };
    ports.store.drop_session(&task.transfer_id, record.epoch).await?;
    Ok(Some(end))
}

/// The document may be complete though the answer was lost. Then the file stays,
/// and the transfer says so.
async fn adopt<S, D, G, L, C>(
    ports: &Ports<'_, S, D, G, L, C>,
    transfer: &Transfer,
) -> Result<(), TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging,
{
    let (Some(destination), Some(object)) = (Destination::of(transfer), SourceObject::of(transfer))
    else {
        return Ok(());
    };
    let began = transfer.checkpoint.as_ref().is_some_and(|c| c.sessions > 0)
        || (object.size() == 0 && transfer.epoch > 0);
    if !began {
        return Ok(());
    }
    let mut hash = SourceHash::resume(transfer.checkpoint.as_ref().map(|c| &c.hash));
    if object.size().saturating_sub(hash.hashed_to()) > LARGEST_GAP_BYTES {
        return Ok(());
    }
    let Some(item) = ports.drive.find(&destination).await? else { return Ok(()) };
    if item.facts.size != object.size() {
        return Ok(());
    }
    match object.hash_up_to(ports.staging, &mut hash, object.size()).await {
        Ok(()) => {}
        Err(error @ StagingError::Unavailable(_)) => return Err(error.into()),
        // The source is not there to compare with: nothing can be claimed.
        Err(_) => return Ok(()),
    }
    if verify_delivery(&hash, &destination.name, &item.facts, false) != Verdict::Same {
        return Ok(());
    }
    let delivery = Delivery {
        item_id: item.id,
        size: item.facts.size,
        quick_xor_hash: hash.digest(),
        rewritten: false,
    };
    // Nobody claims a transfer that is being ended, so the epoch stands still.
    let id = &transfer.transfer_id;
    match ports.store.record_delivery(id, transfer.epoch, &delivery).await {
        Ok(()) | Err(WriteError::Ended) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Takes the transfer off the users of its exchange key and deletes the object if
/// it was the last. `false` while a document that was pushed may still come:
/// `sweep` comes back and removes it then.
async fn release_source<S, D, G, L, C>(
    ports: &Ports<'_, S, D, G, L, C>,
    settings: FinalizeSettings,
    transfer: &Transfer,
) -> Result<bool, TaskError>
where
    S: TransferStore,
    G: Staging,
    C: Clock,
{
    let Some(source) = &transfer.source else { return Ok(true) };
    let (id, key) = (&transfer.transfer_id, &source.key);
    let arrived = transfer.object.is_some();
    // What lies there from before this push was never ours to delete.
    let ours =
        arrived || ports.staging.head(key).await?.is_some_and(|head| head.is_from_push(source));
    let now = ports.clock.now();
    let until = later(now, DELETION_LEASE);
    let last = match ports.store.release_key(id, key, now, until).await? {
        Release::Last => true,
        // Released at the end already, when it had not come yet.
        Release::StillReferenced => {
            !arrived && ours && ports.store.take_unused_key(id, key, now, until).await?
        }
    };
    if last {
        if ours {
            ports.staging.delete(key).await?;
        }
        // By the store's clock, as pushes are dated: who pushes the same document
        // again need not wait out a difference between clocks.
        let released_at = ports.staging.store_time().await?;
        ports.store.mark_released(id, key, released_at).await?;
    }
    let watched_until = later(transfer.ended_at.unwrap_or_default(), settings.late_push_watch);
    Ok(arrived || now >= watched_until)
}
