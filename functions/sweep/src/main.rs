//! The Lambda function `sweep`: a schedule runs it every minute. It restarts or ends transfers whose
//! workflow execution died, and sends outbox messages that are still unsent.

use docferry_app::finish::{FinalizeSettings, FinishPorts};
use docferry_app::recovery::{OutboxQueues, SweepSettings, sweep};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, Production, SystemClock, run_schedule};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let store = &docferry_lambda::transfer_store(&mut reader, &aws);
    let registry = &docferry_lambda::registry(&mut reader, &aws);
    let events = &docferry_lambda::audit_log(&mut reader, &aws);
    let workflow = &docferry_lambda::workflow(&mut reader, &aws);
    let limits = docferry_lambda::slot_limits(&mut reader);
    let audit = &docferry_lambda::audit_queue(&mut reader, &aws);
    let webhook = &docferry_lambda::webhook_queue(&mut reader, &aws);
    let drive = &docferry_lambda::graph(&mut reader, &aws);
    let sealer = &docferry_lambda::sealer(&mut reader, &aws);
    let exchange = docferry_lambda::exchange(&mut reader, &aws);
    let artifacts = &docferry_lambda::delivery(&mut reader, &aws);
    let record_ttl = docferry_lambda::record_ttl(&mut reader);
    let drive = reader.finish_with(drive.as_ref())?;
    let exchange = &exchange.open().await?;
    let ports = &FinishPorts::<Production> {
        store,
        drive,
        exchange,
        artifacts,
        sealer,
        clock: &SystemClock,
    };
    let scheduler = &SlotScheduler::<Production> { store, workflow, clock: &SystemClock, limits };
    let queues = &OutboxQueues { withdrawals: registry, events, audit, webhook };
    let finalize = FinalizeSettings { record_ttl, ..FinalizeSettings::default() };
    let settings = SweepSettings { finalize, ..SweepSettings::default() };
    run_schedule(async |stop_at| {
        let swept = sweep(ports, scheduler, queues, settings, stop_at).await?;
        tracing::info!(
            swept.seen = swept.seen,
            swept.started = swept.started,
            swept.finalized = swept.finalized,
            swept.outcomes_sent = swept.sent,
            swept.events_sent = swept.events_sent,
            swept.forwarded = swept.forwarded,
            swept.withdrawn_copies = swept.withdrawn_copies,
            swept.reclaimed = swept.reclaimed,
            swept.failed = swept.failed,
            "sweep finished"
        );
        Ok(())
    })
    .await
}
