//! The `initiate` function: POSTs that create work.

use std::sync::Arc;

use docferry_app::download::JobSettings;
use docferry_app::initiate::InitiateSettings;
use docferry_http::{DownloadApi, TransferApi, initiate_router};
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, SystemClock};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let transfers = TransferApi {
        store: docferry_lambda::transfer_store(&mut reader, &aws),
        workflow: docferry_lambda::workflow(&mut reader, &aws),
        clock: SystemClock,
        record_ttl: reader.hours("RECORD_TTL_HOURS", 168),
        limits: docferry_lambda::pool_limits(&mut reader),
    };
    let (index, range) = docferry_lambda::document_index(&mut reader, &aws);
    let initiate = InitiateSettings {
        transfer_deadline: reader.seconds("TRANSFER_DEADLINE_SECONDS", 14_400),
        record_ttl: transfers.record_ttl,
    };
    let settings = JobSettings { initiate, job_ttl: reader.hours("JOB_TTL_HOURS", 24) };
    reader.finish()?;
    let api = DownloadApi { transfers: Arc::new(transfers), index, settings, range };
    docferry_lambda::serve(initiate_router(api)).await
}
