//! The `status` function: GETs that read.

use docferry_http::{StatusApi, status_router};
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, SystemClock};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let api = StatusApi {
        store: docferry_lambda::transfer_store(&mut reader, &aws),
        clock: SystemClock,
        record_ttl: reader.hours("RECORD_TTL_HOURS", 168),
    };
    reader.finish()?;
    docferry_lambda::serve(status_router(api)).await
}
