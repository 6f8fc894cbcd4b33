//! Client of the simulated identity provider, which issues the access tokens that callers of the
//! API send.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{Simulator, Stack};

/// Client of the simulated identity provider.
#[derive(Debug, Clone)]
pub struct Identity {
    simulator: Simulator,
    stack: Stack,
}

impl Identity {
    /// Creates the client for the identity provider of this stack.
    #[must_use]
    pub fn new(stack: &Stack) -> Self {
        Self { simulator: Simulator::new(&stack.identity.admin), stack: stack.clone() }
    }

    /// Requests a token from the token endpoint, as clients do.
    pub async fn token(&self) -> String {
        let oidc = &self.stack.oidc;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http
            .post(&oidc.token_url)
            .basic_auth(&oidc.client_id, Some(&oidc.client_secret))
            .form(&[("grant_type", "client_credentials")]);
        let response: Value = request.send().await.unwrap().json().await.unwrap();
        response["access_token"].as_str().expect("a token").to_owned()
    }

    /// Issues a token with arbitrary properties, which may be invalid. The README of the simulator
    /// describes the options.
    pub async fn mint(&self, options: &Value) -> String {
        let response = self.post("/mint", options).await;
        response["token"].as_str().expect("a token").to_owned()
    }

    /// Issues a valid token with this subject. `scope` contains scopes, separated by spaces.
    pub async fn token_of(&self, subject: &str, scope: &str) -> String {
        self.mint(&json!({ "claims": { "sub": subject, "scope": scope } })).await
    }

    /// Rotates the signing keys. The README of the simulator describes the options.
    pub async fn rotate(&self, options: &Value) {
        self.post("/rotate", options).await;
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let text = self.simulator.call(Method::POST, path, &[], body.to_string().into()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}
