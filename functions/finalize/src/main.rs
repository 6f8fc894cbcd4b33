//! The Lambda function `finalize`: the last step of a transfer's workflow. It ends the transfer after
//! its success, failure or cancellation.

use docferry_app::finish::{FinalizeSettings, FinishPorts, finalize};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::tries::recorded;
use docferry_contract::task::{FinalizeInput, FinalizeOutput};
use docferry_domain::transfer::Step;
use docferry_lambda::{Error, Invocation, Production, SystemClock, Wiring, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let store = &wiring.transfer_store();
    let workflow = &wiring.workflow();
    let limits = wiring.slot_limits();
    let drive = wiring.graph();
    let sealer = &wiring.sealer();
    let exchange = wiring.exchange();
    let artifacts = &wiring.delivery();
    let settings =
        FinalizeSettings { record_ttl: wiring.record_ttl(), ..FinalizeSettings::default() };
    let drive = &wiring.finish_with(drive)?;
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
    run_step("finalize", async |step: Invocation<FinalizeInput>| {
        let failure = step.input.failure.as_deref();
        let work = finalize(ports, scheduler, settings, &step.task, failure);
        let ended = recorded(store, &SystemClock, &step.task, Step::Finalize, work).await?;
        Ok(ended.map(|status| FinalizeOutput { status }))
    })
    .await
}
