//! The Lambda function `notify`: reads new outbox records from the DynamoDB streams. It sends the
//! outcome of each ended transfer and each audit event to the audit queues, and webhook
//! notifications to the webhook queue.

use docferry_app::notification::outcome::{forward, notify, send_event};
use docferry_app::ports::EventKey;
use docferry_lambda::{Error, Wiring, run_outbox_stream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let store = &wiring.transfer_store();
    let log = &wiring.audit_log();
    let queue = &wiring.audit_queue();
    let webhooks = &wiring.webhook_queue();
    wiring.finish()?;
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
