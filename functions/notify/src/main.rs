//! The Lambda function `notify`: reads new outbox records from the DynamoDB streams. It sends the
//! outcome of each ended transfer and each audit event to the audit queues, and webhook
//! notifications to the webhook queue.

use docferry_app::notification::outcome::{forward, notify, send_event};
use docferry_app::ports::EventKey;
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, run_outbox_stream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let store = &docferry_lambda::transfer_store(&mut reader, &aws);
    let log = &docferry_lambda::audit_log(&mut reader, &aws);
    let queue = &docferry_lambda::audit_queue(&mut reader, &aws);
    let webhooks = &docferry_lambda::webhook_queue(&mut reader, &aws);
    reader.finish()?;
    run_outbox_stream(
        async |record| notify(store, queue, &record).await,
        async |event| {
            let key = EventKey::Event(event.id.clone());
            send_event(log, queue, &key, event).await
        },
        async |notification| forward(store, webhooks, &notification).await,
    )
    .await
}
