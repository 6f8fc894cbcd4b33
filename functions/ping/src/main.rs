//! The Lambda function `ping`: serves the API call that checks whether the document source responds.

use docferry_http::ping_router;
use docferry_lambda::Error;
use docferry_lambda::config::Reader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let source = docferry_lambda::ords(&mut reader, &aws);
    let layers = docferry_lambda::layers_with_local_counter(&mut reader);
    let source = reader.finish_with(source)?;
    docferry_lambda::serve(layers.around(ping_router(source))).await
}
