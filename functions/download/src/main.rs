//! The Lambda function `download`: serves the API call that redirects to a file that a job has put
//! into the delivery bucket.

use docferry_http::download_router;
use docferry_lambda::Error;
use docferry_lambda::config::Reader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let api = docferry_lambda::job_api(&mut reader, &aws);
    let layers = docferry_lambda::layers_with_local_counter(&mut reader);
    reader.finish()?;
    docferry_lambda::serve(layers.around(download_router(api))).await
}
