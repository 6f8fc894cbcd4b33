//! The `subscribe` function: a job's events as they happen.

use docferry_http::{JobApi, StreamMode, subscribe_router};
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, SystemClock};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let api = JobApi {
        store: docferry_lambda::transfer_store(&mut reader, &aws),
        clock: SystemClock,
        presigner: docferry_lambda::delivery(&mut reader, &aws),
        record_ttl: reader.hours("RECORD_TTL_HOURS", 168),
        url_ttl: reader.seconds("URL_TTL_SECONDS", 900),
    };
    let mode = reader.or("STREAM_MODE", StreamMode::Stream);
    let edge = docferry_lambda::local_edge(&mut reader);
    reader.finish()?;
    docferry_lambda::serve_streams(edge.around(subscribe_router(api, mode)), mode).await
}
