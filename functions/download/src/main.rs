//! The `download` function: GETs that fetch what a job has delivered.

use docferry_http::{JobApi, download_router};
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
    let edge = docferry_lambda::local_edge(&mut reader);
    reader.finish()?;
    docferry_lambda::serve(edge.around(download_router(api))).await
}
