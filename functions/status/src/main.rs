//! The Lambda function `status`: serves the API calls that read transfers and jobs.

use docferry_http::status_router;
use docferry_lambda::{Error, Wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let api = wiring.job_api();
    let range = wiring.file_range();
    let layers = wiring.layers_with_local_counter();
    wiring.finish()?;
    docferry_lambda::serve(layers.around(status_router(api, range))).await
}
