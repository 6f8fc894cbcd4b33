//! The Lambda function `control`: serves the API calls that cancel or retry transfers and jobs.

use docferry_app::job::retry::RetrySettings;
use docferry_http::control_router;
use docferry_lambda::{Error, Wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let job = wiring.job_settings();
    let api = wiring.transfer_api();
    let registry = wiring.registry();
    let audit = wiring.audit_log();
    let settings = RetrySettings { job, max_retries: wiring.reader.parsed_or("MAX_RETRIES", 3) };
    let layers = wiring.layers_with_shared_counter();
    wiring.finish()?;
    docferry_lambda::serve(layers.around(control_router(api, registry, audit, settings))).await
}
