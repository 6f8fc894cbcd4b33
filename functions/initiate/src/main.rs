//! The Lambda function `initiate`: serves the API calls that create transfers and jobs.

use docferry_http::{DownloadApi, initiate_router};
use docferry_lambda::{Error, Wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let settings = wiring.job_settings();
    let transfers = wiring.transfer_api();
    let directory = wiring.graph_directory();
    let registry = wiring.registry();
    let audit = wiring.audit_log();
    let range = wiring.file_range();
    let callbacks = wiring.callback_rule();
    let layers = wiring.layers_with_shared_counter();
    let directory = wiring.finish_with(directory)?;
    let api = DownloadApi { transfers, registry, audit, directory, settings, range, callbacks };
    docferry_lambda::serve(layers.around(initiate_router(api))).await
}
