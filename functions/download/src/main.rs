//! The Lambda function `download`: serves the API call that redirects to a file that a job has put
//! into the delivery bucket.

use docferry_http::download_router;
use docferry_lambda::{Error, Wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let api = wiring.job_api();
    let layers = wiring.layers_with_local_counter();
    wiring.finish()?;
    docferry_lambda::serve(layers.around(download_router(api))).await
}
