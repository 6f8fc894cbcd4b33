//! The `authorizer` function: who is calling.

use authorizer::{SecretAccounts, decide};
use docferry_lambda::config::Reader;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_environment();
    docferry_lambda::start_logging(&mut reader);
    let aws = docferry_lambda::load_aws().await;
    let accounts = SecretAccounts(docferry_lambda::secret(&mut reader, &aws, "SCV_SECRET_ARN"));
    reader.finish()?;
    let accounts = &accounts;
    run(service_fn(|event: LambdaEvent<_>| async move {
        decide(accounts, &event.payload).await.map_err(|refusal| {
            tracing::warn!(refusal = %refusal, "caller refused");
            Diagnostic::from(refusal)
        })
    }))
    .await
}
