//! The Lambda function `archive`: reads the archive queue of the audit trail and writes its records into
//! the archive bucket.

use docferry_app::audit::archive_messages;
use docferry_app::ports::Clock as _;
use docferry_lambda::{Error, SystemClock, Wiring, run_archive_queue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let bucket = &wiring.audit_archive();
    wiring.finish()?;
    run_archive_queue(async |messages| archive_messages(bucket, &messages, SystemClock.now()).await)
        .await
}
