//! The Lambda function `webhook`: reads the webhook queue and sends webhooks about ended jobs to the
//! URLs that the callers have named as receivers.

use docferry_app::notification::webhook::notify_receiver;
use docferry_lambda::{Error, SystemClock, Wiring, run_webhook_queue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let queue = &wiring.webhook_queue();
    let settings = &wiring.webhook_settings();
    let receiver = wiring.receiver();
    let receiver = &wiring.finish_with(receiver)?;
    run_webhook_queue(async |notification| {
        notify_receiver(receiver, queue, &SystemClock, settings, &notification).await
    })
    .await
}
