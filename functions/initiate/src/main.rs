//! The Lambda function `initiate`: serves the API calls that create transfers and jobs.

use docferry_http::{DownloadApi, TransferApi, initiate_router};
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, Production, SystemClock};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let settings = docferry_lambda::job_settings(&mut reader);
    let transfers = TransferApi::<Production> {
        store: docferry_lambda::transfer_store(&mut reader, &aws),
        workflow: docferry_lambda::workflow(&mut reader, &aws),
        clock: SystemClock,
        record_ttl: settings.initiate.record_ttl,
        limits: docferry_lambda::slot_limits(&mut reader),
        drain: reader.parsed_or("REFUSE_NEW_WORK", false),
    };
    let directory = docferry_lambda::graph_directory(&mut reader, &aws);
    let registry = docferry_lambda::registry(&mut reader, &aws);
    let audit = docferry_lambda::audit_log(&mut reader, &aws);
    let range = docferry_lambda::file_range(&mut reader);
    let callbacks = docferry_lambda::callback_rule(&mut reader);
    let layers = docferry_lambda::layers_with_shared_counter(&mut reader, &aws);
    let directory = reader.finish_with(directory)?;
    let api = DownloadApi { transfers, registry, audit, directory, settings, range, callbacks };
    docferry_lambda::serve(layers.around(initiate_router(api))).await
}
