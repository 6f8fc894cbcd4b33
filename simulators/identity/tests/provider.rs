//! Tests of the provider over HTTP. Tokens are verified with an independent library.
#![allow(clippy::unwrap_used, reason = "test helpers panic on failure")]

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use docferry_sim_identity::{Algorithm, Client, Config, Rights, Running, User, start};
use jsonwebtoken::{DecodingKey, TokenData, Validation, decode, decode_header, jwk::JwkSet};
use reqwest::{StatusCode, redirect::Policy};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const REDIRECT_URI: &str = "http://127.0.0.1:3000/back";

struct Bench {
    provider: Running,
    http: reqwest::Client,
}

async fn bench(algorithm: Algorithm) -> Bench {
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
    async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.provider.url());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    async fn token(&self, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let url = format!("{}/token", self.provider.url());
        let response = self.http.post(url).form(form).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn client_credentials_token(&self) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "service"),
            ("client_secret", "p:w%d"),
        ];
        self.token(&form).await.1["access_token"].as_str().unwrap().to_owned()
    }

    async fn admin(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.provider.admin_url());
        let response = self.http.post(url).json(&body).send().await.unwrap();
        response.error_for_status().unwrap().json().await.unwrap()
    }

    /// Verifies a token with the published key.
    async fn read(
        &self,
        token: &str,
        audience: &str,
    ) -> jsonwebtoken::errors::Result<TokenData<Value>> {
        let keys: JwkSet = serde_json::from_value(self.get("/jwks").await).unwrap();
        let header = decode_header(token)?;
        let key = keys.find(&header.kid.unwrap()).unwrap();
        let mut rules = Validation::new(header.alg);
        rules.set_audience(&[audience]);
        rules.set_issuer(&[self.provider.url()]);
        rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        decode(token, &DecodingKey::from_jwk(key).unwrap(), &rules)
    }

    /// Calls the authorization endpoint; returns the status and the parameters of the redirect.
    async fn authorize(&self, extra: &[(&str, &str)]) -> (StatusCode, HashMap<String, String>) {
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
        query.extend(extra.iter().copied());
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

#[tokio::test]
async fn endpoints_in_the_discovery_document_exist() {
    let bench = bench(Algorithm::Rs256).await;
    let found = bench.get("/.well-known/openid-configuration").await;
    assert_eq!(found["issuer"], bench.provider.url());
    for endpoint in ["jwks_uri", "token_endpoint", "authorization_endpoint"] {
        let response = bench.http.get(found[endpoint].as_str().unwrap()).send().await.unwrap();
        assert_ne!(response.status(), StatusCode::NOT_FOUND, "{endpoint}");
    }
    assert_eq!(bench.get("/jwks").await["keys"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn client_credentials_token_is_valid_for_an_independent_library() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let bench = bench(algorithm).await;
        let token = bench.client_credentials_token().await;
        let claims = bench.read(&token, "docferry").await.unwrap().claims;
        assert_eq!(claims["sub"], "service");
        assert_eq!(claims["scope"], "docferry.read docferry.write");
        assert_eq!(claims["client_roles"], json!(["docferry.read"]));
        assert_eq!(
            (&claims["roles"], &claims["oid"]),
            (&json!(["docferry.write"]), &json!("object"))
        );
        assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() == 300);
        bench.read(&token, "other-audience").await.unwrap_err();
    }
}

#[tokio::test]
async fn clients_need_their_secret_and_get_only_their_scopes() {
    let bench = bench(Algorithm::Rs256).await;
    let form_for = |id, secret, scope| {
        [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
            ("scope", scope),
        ]
    };
    for (form, status, error) in [
        (form_for("service", "wrong", ""), 401, "invalid_client"),
        (form_for("unknown", "p:w%d", ""), 401, "invalid_client"),
        (form_for("page", "", ""), 401, "invalid_client"),
        (form_for("service", "p:w%d", "docferry.service"), 400, "invalid_scope"),
    ] {
        let (answered, body) = bench.token(&form).await;
        assert_eq!((answered.as_u16(), &body["error"]), (status, &json!(error)));
    }
    let (_, body) = bench.token(&form_for("service", "p:w%d", "docferry.read")).await;
    assert_eq!(body["scope"], "docferry.read");
    // In a Basic header, both parts are form-encoded first.
    let url = format!("{}/token", bench.provider.url());
    let request = bench.http.post(url).basic_auth("service", Some("p%3Aw%25d"));
    let response = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn authorization_code_is_exchanged_once_with_its_verifier() {
    let bench = bench(Algorithm::Rs256).await;
    let verifier = "v".repeat(43);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let exchange = async |code: &str, verifier: &str, redirect: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "page"),
            ("code", code),
            ("code_verifier", verifier),
            ("redirect_uri", redirect),
        ];
        bench.token(&form).await
    };
    let (status, redirect) = bench.authorize(&[("code_challenge", &challenge)]).await;
    assert_eq!((status, redirect["state"].as_str()), (StatusCode::FOUND, "s t"));
    assert_eq!(redirect["iss"], bench.provider.url());
    let (status, response) = exchange(&redirect["code"], &verifier, REDIRECT_URI).await;
    assert_eq!(status, StatusCode::OK, "{response}");
    // Only scopes that were requested and that both the client and the user may have.
    assert_eq!(response["scope"], "openid docferry.read");
    let access = bench.read(response["access_token"].as_str().unwrap(), "docferry").await.unwrap();
    let id = bench.read(response["id_token"].as_str().unwrap(), "page").await.unwrap();
    assert_eq!(access.claims["sub"], id.claims["sub"]);
    assert_eq!(
        (&id.claims["nonce"], &id.claims["email"]),
        (&json!("n"), &json!("ada@court.example"))
    );
    assert_eq!(
        exchange(&redirect["code"], &verifier, REDIRECT_URI).await.1["error"],
        "invalid_grant"
    );

    for (verifier, redirect_uri) in
        [("x".repeat(43), REDIRECT_URI), (verifier, "http://127.0.0.1:3000/other")]
    {
        let (_, redirect) = bench.authorize(&[("code_challenge", &challenge)]).await;
        let (status, response) = exchange(&redirect["code"], &verifier, redirect_uri).await;
        assert_eq!((status.as_u16(), &response["error"]), (400, &json!("invalid_grant")));
    }
}

#[tokio::test]
async fn authorization_requires_challenge_user_and_registered_redirect() {
    let bench = bench(Algorithm::Rs256).await;
    let challenge = "c".repeat(43);
    let good = ("code_challenge", challenge.as_str());
    for (extra, error) in [
        (vec![], "invalid_request"),
        (vec![good, ("code_challenge_method", "plain")], "invalid_request"),
        (vec![good, ("login_hint", "unknown")], "login_required"),
        (vec![good, ("response_type", "token")], "unsupported_response_type"),
    ] {
        assert_eq!(bench.authorize(&extra).await.1["error"], error);
    }
    for extra in [("redirect_uri", "http://elsewhere.example"), ("client_id", "unknown")] {
        let (status, redirect) = bench.authorize(&[good, extra]).await;
        assert_eq!((status.as_u16(), redirect.len()), (400, 0));
    }
}

#[tokio::test]
async fn key_rotation_can_keep_or_remove_the_old_key() {
    let bench = bench(Algorithm::Rs256).await;
    let first = bench.client_credentials_token().await;
    bench.admin("/rotate", json!({ "algorithm": "RS256", "keep": true })).await;
    let second = bench.client_credentials_token().await;
    assert_ne!(decode_header(&first).unwrap().kid, decode_header(&second).unwrap().kid);
    bench.read(&first, "docferry").await.unwrap();
    bench.read(&second, "docferry").await.unwrap();
    bench.admin("/rotate", json!({})).await;
    let key_set = bench.get("/jwks").await;
    let ids: Vec<_> = key_set["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    let id_of = |token: &str| json!(decode_header(token).unwrap().kid.unwrap());
    assert!(ids.contains(&&id_of(&first)) && !ids.contains(&&id_of(&second)));
}

#[tokio::test]
async fn forged_and_malformed_tokens_can_be_minted() {
    let bench = bench(Algorithm::Rs256).await;
    let mint = async |request: Value| {
        let response = bench.admin("/mint", request).await;
        response["token"].as_str().unwrap().to_owned()
    };
    let good = mint(json!({ "claims": { "sub": "x", "iat": null } })).await;
    let claims = bench.read(&good, "docferry").await.unwrap().claims;
    assert_eq!((&claims["sub"], &claims["iat"]), (&json!("x"), &Value::Null));
    let es = mint(json!({ "algorithm": "ES256" })).await;
    bench.read(&es, "docferry").await.unwrap();
    for request in [
        json!({ "expiresIn": -61 }),
        json!({ "badSignature": true }),
        json!({ "foreignKey": true }),
        json!({ "algorithm": "ES256", "foreignKey": true }),
        json!({ "algorithm": "HS256" }),
        json!({ "claims": { "exp": null } }),
    ] {
        assert!(bench.read(&mint(request.clone()).await, "docferry").await.is_err(), "{request}");
    }
    let unsigned = mint(json!({ "algorithm": "none" })).await;
    assert!(unsigned.ends_with('.') && decode_header(&unsigned).is_err());
}

#[tokio::test]
async fn clients_and_users_can_be_added_without_exposing_secrets() {
    let bench = bench(Algorithm::Rs256).await;
    let client = json!({ "clientId": "new", "clientSecret": "hidden", "scopes": ["a"] });
    let shown = bench.admin("/clients", client).await;
    assert!(!shown.to_string().contains("hidden"));
    bench
        .admin("/users", json!({ "login": "grace", "oid": "o", "scopes": ["docferry.read"] }))
        .await;
    let challenge = "c".repeat(43);
    let hint = [("code_challenge", challenge.as_str()), ("login_hint", "grace")];
    assert!(bench.authorize(&hint).await.1.contains_key("code"));
    let form =
        [("grant_type", "client_credentials"), ("client_id", "new"), ("client_secret", "hidden")];
    assert_eq!(bench.token(&form).await.1["scope"], "a");
}

#[tokio::test]
async fn fault_rule_can_make_the_key_set_unavailable() {
    let bench = bench(Algorithm::Rs256).await;
    bench.admin("/faults", json!({ "operation": "jwks", "status": 503 })).await;
    let url = format!("{}/jwks", bench.provider.url());
    assert_eq!(bench.http.get(&url).send().await.unwrap().status(), 503);
    assert_eq!(bench.http.get(&url).send().await.unwrap().status(), 200);
}
