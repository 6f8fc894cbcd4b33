//! The Lambda function `subscribe`: serves the API call that streams the events of a job.

use docferry_http::{StreamMode, subscribe_router};
use docferry_lambda::Error;
use docferry_lambda::config::Reader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let api = docferry_lambda::job_api(&mut reader, &aws);
    let mode = reader.parsed_or("STREAM_MODE", StreamMode::Stream);
    let layers = docferry_lambda::layers_with_local_counter(&mut reader);
    reader.finish()?;
    docferry_lambda::serve_streaming(layers.around(subscribe_router(api, mode)), mode).await
}
