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
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, Invocation, Production, SystemClock, run_step, upload_output};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let store = docferry_lambda::transfer_store(&mut reader, &aws);
    let workflow = &docferry_lambda::workflow(&mut reader, &aws);
    let limits = docferry_lambda::slot_limits(&mut reader);
    let budget = docferry_lambda::throttle_budget(&mut reader, &aws);
    let registry = docferry_lambda::registry(&mut reader, &aws);
    let drive = docferry_lambda::graph(&mut reader, &aws);
    let sealer = docferry_lambda::sealer(&mut reader, &aws);
    let exchange = docferry_lambda::exchange(&mut reader, &aws);
    // Lambda enforces these two settings. `Reader::finish_with` compares other settings with them.
    reader.number("UPLOAD_TIMEOUT_SECONDS", 300_u64);
    reader.number("UPLOAD_MEMORY_MEGABYTES", 512_u64);
    let settings = UploadSettings {
        policy: reader.parsed_or("CONFLICT_POLICY", ConflictPolicy::Replace),
        fragment_bytes: reader.number("UPLOAD_FRAGMENT_BYTES", 62_586_880),
        read_ahead_bytes: reader.number("UPLOAD_READ_AHEAD_BYTES", 16_777_216),
        parallel_reads: reader.parsed_or("UPLOAD_PARALLEL_READS", 4),
        margin: Duration::from_secs(reader.number("UPLOAD_DEADLINE_MARGIN_SECONDS", 5)),
        fragment_timeout: Duration::from_secs(120),
    };
    let drive = reader.finish_with(drive)?;
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
