//! The Lambda function `finalize`: the last step of a transfer's workflow. It ends the transfer after
//! its success, failure or cancellation.

use docferry_app::finish::{FinalizeSettings, FinishPorts, finalize};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::tries::recorded;
use docferry_contract::task::{FinalizeInput, FinalizeOutput};
use docferry_domain::transfer::Step;
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, Invocation, Production, SystemClock, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let store = &docferry_lambda::transfer_store(&mut reader, &aws);
    let workflow = &docferry_lambda::workflow(&mut reader, &aws);
    let limits = docferry_lambda::slot_limits(&mut reader);
    let drive = docferry_lambda::graph(&mut reader, &aws);
    let sealer = &docferry_lambda::sealer(&mut reader, &aws);
    let exchange = docferry_lambda::exchange(&mut reader, &aws);
    let artifacts = &docferry_lambda::delivery(&mut reader, &aws);
    let settings = FinalizeSettings {
        record_ttl: docferry_lambda::record_ttl(&mut reader),
        ..FinalizeSettings::default()
    };
    let drive = &reader.finish_with(drive)?;
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
