//! The Lambda function `feed`: reads the queue of the document registry and stores its records. A
//! record that the registry does not accept goes to the dead-letter queue with the reason.

use docferry_app::document::feed::feed_record;
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, SystemClock, run_registry_queue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let registry = docferry_lambda::registry(&mut reader, &aws);
    let registry = &registry.written_by("system-of-record");
    let dead_letters = &docferry_lambda::registry_dead_letters(&mut reader, &aws);
    let subjects = &docferry_lambda::subject_systems(&mut reader);
    reader.finish()?;
    run_registry_queue(async |message| {
        feed_record(registry, dead_letters, subjects, &SystemClock, message).await
    })
    .await
}
