//! The Lambda function `archive`: reads the archive queue of the audit trail and writes its records into
//! the archive bucket.

use docferry_app::audit::archive_messages;
use docferry_app::ports::Clock as _;
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, SystemClock, run_archive_queue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let bucket = &docferry_lambda::audit_archive(&mut reader, &aws);
    reader.finish()?;
    run_archive_queue(async |messages| archive_messages(bucket, &messages, SystemClock.now()).await)
        .await
}
