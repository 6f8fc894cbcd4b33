//! The Lambda function `push`: the first step of a transfer's workflow. It asks the document source to
//! copy the document to the exchange bucket.

use docferry_app::source::push::{PushPorts, push};
use docferry_app::tries::recorded;
use docferry_contract::task::TaskInput;
use docferry_domain::transfer::Step;
use docferry_lambda::{Error, Invocation, Production, SystemClock, Wiring, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let store = &wiring.transfer_store();
    let registry = &wiring.registry();
    let source = wiring.ords();
    let deadlines = wiring.deadline_rules();
    let exchange = wiring.exchange();
    let source = &wiring.finish_with(source)?;
    let exchange = &exchange.open().await?;
    let ports = &PushPorts::<Production> { store, source, exchange, registry, clock: &SystemClock };
    run_step("push", async |step: Invocation<TaskInput>| {
        let work = push(ports, &deadlines, &step.task);
        let outcome = recorded(store, &SystemClock, &step.task, Step::Push, work).await?;
        Ok(docferry_lambda::push_output(outcome, step.input.definition))
    })
    .await
}
