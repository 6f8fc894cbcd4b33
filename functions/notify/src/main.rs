//! The `notify` function: tells the audit queue of each ending.

use docferry_app::notify::notify;
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, run_outcomes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let store = &docferry_lambda::transfer_store(&mut reader, &aws);
    let queue = &docferry_lambda::audit_queue(&mut reader, &aws);
    reader.finish()?;
    run_outcomes(async |record| notify(store, queue, &record).await).await
}
