//! The Lambda function `push`: the first step of a transfer's workflow. It asks the document source to
//! copy the document to the exchange bucket.

use docferry_app::source::push::{PushPorts, push};
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
    let registry = &docferry_lambda::registry(&mut reader, &aws);
    let source = docferry_lambda::ords(&mut reader, &aws);
    let deadlines = docferry_lambda::deadline_rules(&mut reader);
    let exchange = docferry_lambda::exchange(&mut reader, &aws);
    let source = &reader.finish_with(source)?;
    let exchange = &exchange.open().await?;
    let ports = &PushPorts::<Production> { store, source, exchange, registry, clock: &SystemClock };
    run_step("push", async |step: Invocation<TaskInput>| {
        let work = push(ports, &deadlines, &step.task);
        let outcome = recorded(store, &SystemClock, &step.task, Step::Push, work).await?;
        Ok(docferry_lambda::push_output(outcome, step.input.definition))
    })
    .await
}
