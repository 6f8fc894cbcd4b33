//! The simulated OpenID Connect issuer of these tests, and helpers to issue and verify tokens.

use authorizer::oidc::{Caller, HttpKeys, Issuer, OidcSettings, TokenError};
use docferry_domain::document::SubjectPatterns;
use docferry_sim_identity::{Config, Running, start};
use serde_json::Value;

/// Microsoft Graph user id of the caller `ada`.
pub(crate) const ADA_GRAPH_ID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// Simulated issuer and a client for its admin interface.
pub(crate) struct SimulatedIssuer {
    pub(crate) running: Running,
    http: reqwest::Client,
}

impl SimulatedIssuer {
    pub(crate) async fn start() -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { running: start(Config::default()).await.unwrap(), http }
    }

    /// Returns the settings with which the authorizer accepts tokens of this issuer.
    pub(crate) fn settings(&self) -> OidcSettings {
        OidcSettings {
            issuer: self.running.url().to_owned(),
            audience: "docferry".to_owned(),
            jwks_url: None,
            subject_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            graph_user_claim: "oid".to_owned(),
            subjects_claim: "docferry_subjects".to_owned(),
            groups_claim: "groups".to_owned(),
            subjects: SubjectPatterns::default(),
        }
    }

    /// Returns a verifier of tokens of this issuer.
    pub(crate) fn issuer(&self) -> Issuer<HttpKeys> {
        Issuer::of(self.settings()).unwrap().unwrap()
    }

    /// Sends a POST request to the admin interface of the simulator and returns the response body.
    pub(crate) async fn post_admin(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.running.admin_url());
        let response = self.http.post(url).json(&body).send().await.unwrap();
        response.error_for_status().unwrap().json().await.unwrap()
    }

    /// Issues a token with these properties, which may be invalid.
    pub(crate) async fn mint(&self, options: Value) -> String {
        self.post_admin("/mint", options).await["token"].as_str().unwrap().to_owned()
    }

    /// Returns how often the keys were fetched.
    pub(crate) async fn key_fetch_count(&self) -> usize {
        let url = format!("{}/requests", self.running.admin_url());
        let requests: Vec<Value> = self.http.get(url).send().await.unwrap().json().await.unwrap();
        requests.iter().filter(|request| request["operation"] == "jwks").count()
    }
}

/// Verifies a token that is given as plain text.
pub(crate) async fn verify_token(
    issuer: &Issuer<HttpKeys>,
    token: &str,
) -> Result<Caller, TokenError> {
    issuer.verify(&token.into()).await
}
