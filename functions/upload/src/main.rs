//! The Lambda function `upload`: a step of the workflow of a transfer to OneDrive. It uploads the next
//! bytes of the document.

use std::sync::Arc;
use std::time::Duration;

use docferry_app::delivery::gate::upload_with_slot;
use docferry_app::delivery::upload::{UploadPorts, UploadSettings};
use docferry_app::ports::ConflictPolicy;
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::tries::recorded;
use docferry_contract::task::TaskInput;
use docferry_domain::transfer::Step;
use docferry_lambda::{
    Error, Invocation, Production, SystemClock, Wiring, run_step, upload_output,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let store = wiring.transfer_store();
    let workflow = &wiring.workflow();
    let limits = wiring.slot_limits();
    let budget = wiring.throttle_budget();
    let registry = wiring.registry();
    let drive = wiring.graph();
    let sealer = wiring.sealer();
    let exchange = wiring.exchange();
    // Lambda enforces these two settings. `Reader::finish_with` compares other settings with them.
    wiring.reader.number("UPLOAD_TIMEOUT_SECONDS", 300_u64);
    wiring.reader.number("UPLOAD_MEMORY_MEGABYTES", 512_u64);
    let settings = UploadSettings {
        policy: wiring.reader.parsed_or("CONFLICT_POLICY", ConflictPolicy::Replace),
        fragment_bytes: wiring.reader.number("UPLOAD_FRAGMENT_BYTES", 62_586_880),
        read_ahead_bytes: wiring.reader.number("UPLOAD_READ_AHEAD_BYTES", 16_777_216),
        parallel_reads: wiring.reader.parsed_or("UPLOAD_PARALLEL_READS", 4),
        margin: Duration::from_secs(wiring.reader.number("UPLOAD_DEADLINE_MARGIN_SECONDS", 5)),
        fragment_timeout: Duration::from_secs(120),
    };
    let drive = wiring.finish_with(drive)?;
    let exchange = Arc::new(exchange.open().await?);
    let ports = &UploadPorts::<Production> {
        store,
        drive,
        exchange,
        sealer,
        clock: SystemClock,
        budget,
        registry,
        settings,
    };
    let scheduler =
        &SlotScheduler::<Production> { store: &ports.store, workflow, clock: &SystemClock, limits };
    run_step("upload", async |step: Invocation<TaskInput>| {
        let work = upload_with_slot(ports, scheduler, &step.task, step.deadline);
        let progress =
            Box::pin(recorded(&ports.store, &SystemClock, &step.task, Step::Deliver, work)).await?;
        upload_output(progress, step.input.definition)
    })
    .await
}
