//! The Lambda function `status`: serves the API calls that read transfers and jobs.

use docferry_http::status_router;
use docferry_lambda::Error;
use docferry_lambda::config::Reader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let api = docferry_lambda::job_api(&mut reader, &aws);
    let range = docferry_lambda::file_range(&mut reader);
    let layers = docferry_lambda::layers_with_local_counter(&mut reader);
    reader.finish()?;
    docferry_lambda::serve(layers.around(status_router(api, range))).await
}
