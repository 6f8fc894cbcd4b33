//! Every ending of a transfer: the only way into a terminal phase, then clean-up.

use docferry_domain::{Outcome, Phase, Transfer};
use jiff::SignedDuration;

use crate::initiate::later;
use crate::ports::{Clock, Drive, Release, SealError, Sealer, Staging, TransferStore, WriteError};
use crate::task::load;
use crate::{TaskError, TaskInput};

/// How long other users of an exchange key wait for a deletion whose function
/// died in it. Longer than the function's own time-out.
const DELETION_LEASE: SignedDuration = SignedDuration::from_secs(90);

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct FinalizeSettings {
    /// How long an ended record is kept.
    pub record_ttl: SignedDuration,
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
/// the terminal phase is durable.
///
/// # Errors
/// Retryable codes while the store, the drive or the exchange bucket does not
/// answer; the transfer may have ended already, then only clean-up is missing.
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
    let mut transfer = load(ports.store, task).await?;
    if transfer.attempt != task.attempt {
        return Ok(transfer.phase);
    }
    if !transfer.phase.is_terminal() && transfer.delivery.is_none() {
        // Closed before the end is written, so that no fragment lands after it.
        close_session(ports, task).await?;
        transfer = load(ports.store, task).await?;
    }
    while !transfer.phase.is_terminal() {
        let outcome = Outcome::decide(&transfer, stopped_by);
        let now = ports.clock.now();
        let purge_at = later(now, settings.record_ttl);
        transfer =
            match ports.store.finish(&task.transfer_id, task.attempt, outcome, now, purge_at).await
            {
                Ok(transfer) => transfer,
                Err(WriteError::Ended) => load(ports.store, task).await?,
                Err(error) => return Err(error.into()),
            };
    }
    close_session(ports, task).await?;
    release_source(ports, &transfer).await?;
    Ok(transfer.phase)
}

async fn close_session<S, D, G, L, C>(
    ports: &Ports<'_, S, D, G, L, C>,
    task: &TaskInput,
) -> Result<(), TaskError>
where
    S: TransferStore,
    D: Drive,
    L: Sealer,
{
    let Some(record) = ports.store.session(&task.transfer_id).await? else {
        return Ok(());
    };
    match ports.sealer.open(&task.transfer_id, &record.session.sealed_url).await {
        Ok(url) => ports.drive.delete_session(&url).await?,
        // Lost to us; the drive forgets it by itself within minutes.
        Err(SealError::Unreadable) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(ports.store.drop_session(&task.transfer_id, record.epoch).await?)
}

async fn release_source<S, D, G, L, C>(
    ports: &Ports<'_, S, D, G, L, C>,
    transfer: &Transfer,
) -> Result<(), TaskError>
where
    S: TransferStore,
    G: Staging,
    C: Clock,
{
    let Some(source) = &transfer.source else {
        return Ok(());
    };
    let id = &transfer.transfer_id;
    let now = ports.clock.now();
    let until = later(now, DELETION_LEASE);
    match ports.store.release_key(id, &source.key, now, until).await? {
        Release::StillReferenced => Ok(()),
        Release::Last => {
            ports.staging.delete(&source.key).await?;
            Ok(ports.store.mark_released(id, &source.key, ports.clock.now()).await?)
        }
    }
}
