//! The Lambda function `ping`: serves the API call that checks whether the document source responds.

use docferry_http::ping_router;
use docferry_lambda::{Error, Wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let source = wiring.ords();
    let layers = wiring.layers_with_local_counter();
    let source = wiring.finish_with(source)?;
    docferry_lambda::serve(layers.around(ping_router(source))).await
}
