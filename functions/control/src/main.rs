//! The `control` function: POSTs that change running work.

use docferry_http::control_router;
use docferry_lambda::Error;
use docferry_lambda::config::Reader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let store = docferry_lambda::transfer_store(&mut reader, &aws);
    reader.finish()?;
    docferry_lambda::serve(control_router(store)).await
}
