//! The Lambda function `search`: serves the search for documents by FHIR R4, and starts the downloads
//! that its results link to.

use docferry_http::{PageKey, PublicUrl, SearchApi, search_router};
use docferry_lambda::{Error, Wiring};
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
    let mut wiring = Wiring::from_environment().await;
    let settings = wiring.job_settings();
    let transfers = wiring.transfer_api();
    let registry = wiring.registry();
    let audit = wiring.audit_log();
    let subjects = wiring.subject_systems();
    let address = wiring.reader.optional_url("PUBLIC_BASE_URL");
    // The stage of the API has the name of the environment.
    let public_url =
        PublicUrl::new(address.as_deref(), wiring.reader.required("ENVIRONMENT", "prod"));
    let public_url =
        public_url.map_err(|error| wiring.reader.problem(format!("PUBLIC_BASE_URL {error}"))).ok();
    let secret = wiring.secret::<PageSecret>("PAGE_SECRET_ARN");
    let layers = wiring.layers_with_local_counter();
    let public_url = wiring.finish_with(public_url)?;
    let page_key = PageKey::from_secret(secret.get().await?.page_key.expose_secret().as_bytes());
    let api = SearchApi { transfers, registry, audit, settings, subjects, page_key, public_url };
    docferry_lambda::serve(layers.around(search_router(api))).await
}
