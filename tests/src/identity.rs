use reqwest::Method;
use serde_json::{Value, json};

use crate::{Simulator, Stack};

/// The simulated identity provider.
#[derive(Debug, Clone)]
pub struct Identity {
    simulator: Simulator,
    stack: Stack,
}

impl Identity {
    /// The one of this system.
    #[must_use]
    pub fn new(stack: &Stack) -> Self {
        Self { simulator: Simulator::new(&stack.identity.admin), stack: stack.clone() }
    }

    /// A token as any client gets one.
    pub async fn token(&self) -> String {
        let oidc = &self.stack.oidc;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http
            .post(&oidc.token_url)
            .basic_auth(&oidc.client_id, Some(&oidc.client_secret))
            .form(&[("grant_type", "client_credentials")]);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// A token as wished; see the simulator's README.
    pub async fn mint(&self, wish: &Value) -> String {
        let answer = self.post("/mint", wish).await;
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// A good token of this subject with these scopes.
    pub async fn token_of(&self, subject: &str, scope: &str) -> String {
        self.mint(&json!({ "claims": { "sub": subject, "scope": scope } })).await
    }

    /// New keys; see the simulator's README.
    pub async fn rotate(&self, wish: &Value) {
        self.post("/rotate", wish).await;
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let text = self.simulator.call(Method::POST, path, &[], body.to_string().into()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}
