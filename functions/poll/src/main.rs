//! The Lambda function `poll`: a step of a transfer's workflow. It checks whether the document has
//! arrived completely in the exchange bucket.

use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::source::poll::poll;
use docferry_app::tries::recorded;
use docferry_contract::task::TaskInput;
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
    let exchange = docferry_lambda::exchange(&mut reader, &aws);
    let rules = docferry_lambda::arrival_rules(&mut reader);
    reader.finish()?;
    let exchange = &exchange.open().await?;
    let scheduler = &SlotScheduler::<Production> { store, workflow, clock: &SystemClock, limits };
    run_step("poll", async |step: Invocation<TaskInput>| {
        let work = poll(scheduler, exchange, rules, &step.task);
        let arrival = recorded(store, &SystemClock, &step.task, Step::Poll, work).await?;
        docferry_lambda::poll_output(arrival, step.input.definition)
    })
    .await
}
