//! The Lambda function `control`: serves the API calls that cancel or retry transfers and jobs.

use docferry_app::job::retry::RetrySettings;
use docferry_http::{TransferApi, control_router};
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, Production, SystemClock};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let job = docferry_lambda::job_settings(&mut reader);
    let api = TransferApi::<Production> {
        store: docferry_lambda::transfer_store(&mut reader, &aws),
        workflow: docferry_lambda::workflow(&mut reader, &aws),
        clock: SystemClock,
        record_ttl: job.initiate.record_ttl,
        limits: docferry_lambda::slot_limits(&mut reader),
        drain: reader.parsed_or("REFUSE_NEW_WORK", false),
    };
    let registry = docferry_lambda::registry(&mut reader, &aws);
    let audit = docferry_lambda::audit_log(&mut reader, &aws);
    let settings = RetrySettings { job, max_retries: reader.parsed_or("MAX_RETRIES", 3) };
    let layers = docferry_lambda::layers_with_shared_counter(&mut reader, &aws);
    reader.finish()?;
    docferry_lambda::serve(layers.around(control_router(api, registry, audit, settings))).await
}
