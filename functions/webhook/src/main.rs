//! The Lambda function `webhook`: reads the webhook queue and sends webhooks about ended jobs to the
//! URLs that the callers have named as receivers.

use docferry_app::notification::webhook::notify_receiver;
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, SystemClock, run_webhook_queue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let queue = &docferry_lambda::webhook_queue(&mut reader, &aws);
    let settings = &docferry_lambda::webhook_settings(&mut reader);
    let receiver = docferry_lambda::receiver(&mut reader, &aws);
    let receiver = &reader.finish_with(receiver)?;
    run_webhook_queue(async |notification| {
        notify_receiver(receiver, queue, &SystemClock, settings, &notification).await
    })
    .await
}
