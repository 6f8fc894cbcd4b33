//! Test support: a running OpenID Connect provider simulator, and calls of its endpoints.

use std::collections::HashMap;

use docferry_sim_identity::{Algorithm, Client, Config, Rights, Running, User, start};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, TokenData, Validation, decode, decode_header};
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use serde_json::Value;

/// Redirect address of the client `page`, a web page that signs in users.
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:3000/back";

/// Running provider and an HTTP client that follows no redirects.
pub(crate) struct Bench {
    pub(crate) provider: Running,
    pub(crate) http: reqwest::Client,
}

/// Starts a provider with the clients `service` and `page` and the user `ada`.
pub(crate) async fn start_bench(algorithm: Algorithm) -> Bench {
    let rights = |names: &[&str]| Rights {
        scopes: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Rights::default()
    };
    let service = Client {
        client_id: "service".into(),
        client_secret: Some("p:w%d".into()),
        rights: Rights {
            client_roles: Some(vec!["docferry.read".into()]),
            roles: Some(vec!["docferry.write".into()]),
            oid: Some("object".into()),
            ..rights(&["docferry.read", "docferry.write"])
        },
        ..Client::default()
    };
    let page = Client {
        client_id: "page".into(),
        redirect_uris: vec![REDIRECT_URI.into()],
        rights: rights(&["docferry.read", "docferry.write"]),
        ..Client::default()
    };
    let ada = User {
        email: Some("ada@court.example".into()),
        rights: rights(&["docferry.read", "docferry.service"]),
        ..User::new("ada")
    };
    let config =
        Config { algorithm, clients: vec![service, page], users: vec![ada], ..Config::default() };
    let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    Bench { provider: start(config).await.unwrap(), http }
}

impl Bench {
    /// Reads a JSON document of the provider.
    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.provider.url());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Sends a form to the token endpoint.
    pub(crate) async fn request_token(&self, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let url = format!("{}/token", self.provider.url());
        let response = self.http.post(url).form(form).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Requests a token as the service client.
    pub(crate) async fn client_credentials_token(&self) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "service"),
            ("client_secret", "p:w%d"),
        ];
        self.request_token(&form).await.1["access_token"].as_str().unwrap().to_owned()
    }

    /// Posts to the admin interface.
    pub(crate) async fn post_admin(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.provider.admin_url());
        let response = self.http.post(url).json(&body).send().await.unwrap();
        response.error_for_status().unwrap().json().await.unwrap()
    }

    /// Verifies a token with the published key.
    pub(crate) async fn verify_token(
        &self,
        token: &str,
        audience: &str,
    ) -> jsonwebtoken::errors::Result<TokenData<Value>> {
        let keys: JwkSet = serde_json::from_value(self.get_json("/jwks").await).unwrap();
        let header = decode_header(token)?;
        let key = keys.find(&header.kid.unwrap()).unwrap();
        let mut rules = Validation::new(header.alg);
        rules.set_audience(&[audience]);
        rules.set_issuer(&[self.provider.url()]);
        rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        decode(token, &DecodingKey::from_jwk(key).unwrap(), &rules)
    }

    /// Calls the authorization endpoint with typical parameters. `overrides` replaces some of them
    /// and adds others. Returns the status and the parameters of the redirect.
    pub(crate) async fn authorize(
        &self,
        overrides: &[(&str, &str)],
    ) -> (StatusCode, HashMap<String, String>) {
        let mut query = HashMap::from([
            ("response_type", "code"),
            ("client_id", "page"),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "openid docferry.read docferry.write docferry.service"),
            ("state", "s t"),
            ("nonce", "n"),
            ("code_challenge_method", "S256"),
            ("login_hint", "ada"),
        ]);
        query.extend(overrides.iter().copied());
        let url = format!("{}/authorize", self.provider.url());
        let response = self.http.get(url).query(&query).send().await.unwrap();
        let location =
            response.headers().get("location").and_then(|location| location.to_str().ok());
        let parameters = location.map(|location| {
            assert!(location.starts_with(REDIRECT_URI), "{location}");
            let url = url::Url::parse(location).unwrap();
            url.query_pairs().into_owned().collect()
        });
        (response.status(), parameters.unwrap_or_default())
    }
}
