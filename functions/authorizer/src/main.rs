//! The Lambda function `authorizer`: API Gateway calls it to authenticate the callers of the API.

use authorizer::oidc::{Issuer, OidcSettings};
use authorizer::{SecretAccounts, decide};
use docferry_lambda::Wiring;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut wiring = Wiring::from_environment().await;
    let accounts = SecretAccounts(wiring.secret("SCV_SECRET_ARN"));
    let settings = OidcSettings {
        issuer: wiring.reader.optional_url("OIDC_ISSUER").unwrap_or_default(),
        audience: wiring.reader.parsed_or("OIDC_AUDIENCE", String::new()),
        jwks_url: wiring.reader.optional_url("OIDC_JWKS_URL"),
        subject_claim: wiring.reader.parsed_or("OIDC_SUBJECT_CLAIM", "sub".to_owned()),
        scope_claim: wiring.reader.parsed_or("OIDC_SCOPE_CLAIM", "scope".to_owned()),
        graph_user_claim: wiring.reader.parsed_or("OIDC_GRAPH_USER_CLAIM", "oid".to_owned()),
        subjects_claim: wiring
            .reader
            .parsed_or("OIDC_SUBJECTS_CLAIM", "docferry_subjects".to_owned()),
        groups_claim: wiring.reader.parsed_or("OIDC_GROUPS_CLAIM", "groups".to_owned()),
        subjects: wiring.subject_systems(),
    };
    let issuer = Issuer::of(settings).unwrap_or_else(|error| {
        wiring.reader.problem(error.to_string());
        None
    });
    wiring.finish()?;
    let (accounts, issuer) = (&accounts, issuer.as_ref());
    run(service_fn(|event: LambdaEvent<_>| async move {
        decide(accounts, issuer, &event.payload).await.map_err(|refusal| {
            tracing::warn!(refusal = %refusal, "caller refused");
            Diagnostic::from(refusal)
        })
    }))
    .await
}
