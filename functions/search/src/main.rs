//! The Lambda function `search`: serves the search for documents by FHIR R4, and starts the downloads
//! that its results link to.

use docferry_http::{PageKey, PublicUrl, SearchApi, TransferApi, search_router};
use docferry_lambda::config::Reader;
use docferry_lambda::{Error, Production, SystemClock};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// JSON format of the secret with the key of page tokens.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageSecret {
    page_key: SecretString,
}

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
    let registry = docferry_lambda::registry(&mut reader, &aws);
    let audit = docferry_lambda::audit_log(&mut reader, &aws);
    let subjects = docferry_lambda::subject_systems(&mut reader);
    let address = reader.optional_url("PUBLIC_BASE_URL");
    // The stage of the API has the name of the environment.
    let public_url = PublicUrl::new(address.as_deref(), reader.required("ENVIRONMENT", "prod"));
    let public_url =
        public_url.map_err(|error| reader.problem(format!("PUBLIC_BASE_URL {error}"))).ok();
    let secret = docferry_lambda::secret::<PageSecret>(&mut reader, &aws, "PAGE_SECRET_ARN");
    let layers = docferry_lambda::layers_with_local_counter(&mut reader);
    let public_url = reader.finish_with(public_url)?;
    let page_key = PageKey::from_secret(secret.get().await?.page_key.expose_secret().as_bytes());
    let api = SearchApi { transfers, registry, audit, settings, subjects, page_key, public_url };
    docferry_lambda::serve(layers.around(search_router(api))).await
}
