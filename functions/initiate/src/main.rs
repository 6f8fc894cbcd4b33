//! The `initiate` function: POSTs that create work.

use docferry_http::{TransferApi, initiate_router};
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, SystemClock};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let api = TransferApi {
        store: docferry_lambda::transfer_store(&mut reader, &aws),
        workflow: docferry_lambda::workflow(&mut reader, &aws),
        clock: SystemClock,
        record_ttl: reader.hours("RECORD_TTL_HOURS", 168),
        limits: docferry_lambda::pool_limits(&mut reader),
    };
    let transfer_deadline = reader.seconds("TRANSFER_DEADLINE_SECONDS", 14_400);
    reader.finish()?;
    docferry_lambda::serve(initiate_router(api, transfer_deadline)).await
}
