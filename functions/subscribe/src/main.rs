//! The Lambda function `subscribe`: serves the API call that streams the events of a job.

use docferry_http::{StreamMode, subscribe_router};
use docferry_lambda::{Error, Wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let api = wiring.job_api();
    let mode = wiring.reader.parsed_or("STREAM_MODE", StreamMode::Stream);
    let layers = wiring.layers_with_local_counter();
    wiring.finish()?;
    docferry_lambda::serve_streaming(layers.around(subscribe_router(api, mode)), mode).await
}
