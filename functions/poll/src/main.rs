//! The Lambda function `poll`: a step of a transfer's workflow. It checks whether the document has
//! arrived completely in the exchange bucket.

use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::source::poll::poll;
use docferry_app::tries::recorded;
use docferry_contract::task::TaskInput;
use docferry_domain::transfer::Step;
use docferry_lambda::{Error, Invocation, Production, SystemClock, Wiring, run_step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let store = &wiring.transfer_store();
    let workflow = &wiring.workflow();
    let limits = wiring.slot_limits();
    let exchange = wiring.exchange();
    let rules = wiring.arrival_rules();
    wiring.finish()?;
    let exchange = &exchange.open().await?;
    let scheduler = &SlotScheduler::<Production> { store, workflow, clock: &SystemClock, limits };
    run_step("poll", async |step: Invocation<TaskInput>| {
        let work = poll(scheduler, exchange, rules, &step.task);
        let arrival = recorded(store, &SystemClock, &step.task, Step::Poll, work).await?;
        docferry_lambda::poll_output(arrival, step.input.definition)
    })
    .await
}
