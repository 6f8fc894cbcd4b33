//! The Lambda function `publish`: a step of the workflow of a download. It copies the next parts of
//! the document from the exchange bucket to the delivery bucket.

use std::time::Duration;

use docferry_app::delivery::gate::publish_with_slot;
use docferry_app::delivery::publish::{PublishPorts, PublishSettings};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::tries::recorded;
use docferry_contract::task::TaskInput;
use docferry_domain::transfer::Step;
use docferry_lambda::{
    Error, Invocation, Production, SystemClock, Wiring, run_step, upload_output,
};

/// Four parts of 8 MiB are copied at once. They need 32 MiB of memory, and a part takes about a second
/// on a slow connection.
const SETTINGS: PublishSettings = PublishSettings {
    part_bytes: 8 * 1024 * 1024,
    parallel_parts: 4,
    margin: Duration::from_secs(15),
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let store = &wiring.transfer_store();
    let workflow = &wiring.workflow();
    let limits = wiring.slot_limits();
    let registry = &wiring.registry();
    let artifacts = &wiring.delivery();
    let exchange = wiring.exchange();
    wiring.finish()?;
    let exchange = &exchange.open().await?;
    let ports = &PublishPorts::<Production> {
        store,
        exchange,
        artifacts,
        registry,
        clock: &SystemClock,
        settings: SETTINGS,
    };
    let scheduler = &SlotScheduler::<Production> { store, workflow, clock: &SystemClock, limits };
    run_step("publish", async |step: Invocation<TaskInput>| {
        let work = publish_with_slot(ports, scheduler, &step.task, step.deadline);
        let progress = recorded(store, &SystemClock, &step.task, Step::Deliver, work).await?;
        upload_output(progress, step.input.definition)
    })
    .await
}
