//! The Lambda function `sweep`: a schedule runs it every minute. It restarts or ends transfers whose
//! workflow execution died, and sends outbox messages that are still unsent.

use docferry_app::finish::{FinalizeSettings, FinishPorts};
use docferry_app::recovery::{OutboxQueues, SweepSettings, sweep};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_lambda::{Error, Production, SystemClock, Wiring, run_schedule};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let store = &wiring.transfer_store();
    let registry = &wiring.registry();
    let events = &wiring.audit_log();
    let workflow = &wiring.workflow();
    let limits = wiring.slot_limits();
    let audit = &wiring.audit_queue();
    let webhook = &wiring.webhook_queue();
    let drive = &wiring.graph();
    let sealer = &wiring.sealer();
    let exchange = wiring.exchange();
    let artifacts = &wiring.delivery();
    let record_ttl = wiring.record_ttl();
    let drive = wiring.finish_with(drive.as_ref())?;
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
