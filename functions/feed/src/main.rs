//! The Lambda function `feed`: reads the queue of the document registry and stores its records. A
//! record that the registry does not accept goes to the dead-letter queue with the reason.

use docferry_app::document::feed::feed_record;
use docferry_lambda::{Error, SystemClock, Wiring, run_registry_queue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let registry = wiring.registry();
    let registry = &registry.written_by("system-of-record");
    let dead_letters = &wiring.registry_dead_letters();
    let subjects = &wiring.subject_systems();
    wiring.finish()?;
    run_registry_queue(async |message| {
        feed_record(registry, dead_letters, subjects, &SystemClock, message).await
    })
    .await
}
