//! Valid and invalid tokens of a simulated issuer.
#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::sync::Arc;

use authorizer::oidc::{Caller, FetchError, HttpKeys, Issuer, OidcSettings, Rejection, TokenError};
use authorizer::{Account, Accounts, decide};
use docferry_aws::secrets::SecretError;
use docferry_contract::scope::Scopes;
use docferry_sim_identity::{Config, Running, start};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

/// Microsoft Graph user id of the caller `ada`.
const ADA: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// Simulated issuer and a client for its admin interface.
struct Bench {
    provider: Running,
    http: reqwest::Client,
}

async fn bench() -> Bench {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    Bench { provider: start(Config::default()).await.unwrap(), http }
}

impl Bench {
    fn settings(&self) -> OidcSettings {
        OidcSettings {
            issuer: self.provider.url().to_owned(),
            audience: "docferry".to_owned(),
            jwks_url: None,
            subject_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            graph_user_claim: "oid".to_owned(),
        }
    }

    fn issuer(&self) -> Issuer<HttpKeys> {
        Issuer::of(self.settings()).unwrap().unwrap()
    }

    async fn admin(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.provider.admin_url());
        let response = self.http.post(url).json(&body).send().await.unwrap();
        response.error_for_status().unwrap().json().await.unwrap()
    }

    async fn mint(&self, spec: Value) -> String {
        self.admin("/mint", spec).await["token"].as_str().unwrap().to_owned()
    }

    /// Returns how often the keys were fetched.
    async fn key_fetches(&self) -> usize {
        let url = format!("{}/requests", self.provider.admin_url());
        let all: Vec<Value> = self.http.get(url).send().await.unwrap().json().await.unwrap();
        all.iter().filter(|request| request["operation"] == "jwks").count()
    }
}

async fn verify(issuer: &Issuer<HttpKeys>, token: &str) -> Result<Caller, TokenError> {
    issuer.verify(&token.into()).await
}

#[tokio::test]
async fn valid_tokens_of_both_algorithms_identify_the_caller_and_scopes() {
    let bench = bench().await;
    let issuer = bench.issuer();
    for algorithm in ["RS256", "ES256"] {
        let scope = "openid docferry.read else.where";
        let claims = json!({ "sub": "ada", "scope": scope, "oid": ADA });
        let token = bench.mint(json!({ "algorithm": algorithm, "claims": claims })).await;
        let caller = verify(&issuer, &token).await.unwrap();
        let scopes = Scopes::parse("docferry.read");
        let graph_user = Some(ADA.to_owned());
        assert_eq!(caller, Caller { subject: "ada".to_owned(), scopes, graph_user });
    }
    let among_others = json!({ "aud": ["other", "docferry"] });
    verify(&issuer, &bench.mint(json!({ "claims": among_others })).await).await.unwrap();
    assert_eq!(bench.key_fetches().await, 1, "keys are cached");
}

#[tokio::test]
async fn invalid_tokens_are_rejected_with_the_matching_reason() {
    let bench = bench().await;
    let issuer = bench.issuer();
    let claims = |claims: Value| json!({ "claims": claims });
    let url = bench.provider.url();
    for (spec, expected) in [
        (json!({ "expiresIn": -90 }), Rejection::Expired),
        (claims(json!({ "exp": null })), Rejection::Claims),
        (claims(json!({ "exp": "tomorrow" })), Rejection::Claims),
        (claims(json!({ "nbf": 4_102_444_800_u64 })), Rejection::NotYet),
        (claims(json!({ "nbf": "soon" })), Rejection::Claims),
        (claims(json!({ "aud": "other" })), Rejection::Audience),
        (claims(json!({ "aud": [] })), Rejection::Audience),
        (claims(json!({ "aud": ["docferry.other", "DOCFERRY"] })), Rejection::Audience),
        (claims(json!({ "aud": null })), Rejection::Claims),
        (claims(json!({ "iss": "https://elsewhere.example" })), Rejection::Issuer),
        (claims(json!({ "iss": format!("{url}/") })), Rejection::Issuer),
        (claims(json!({ "iss": [url] })), Rejection::Issuer),
        (claims(json!({ "iss": null })), Rejection::Claims),
        (claims(json!({ "sub": null })), Rejection::Subject),
        (claims(json!({ "sub": "ada@court.example" })), Rejection::Subject),
        (claims(json!({ "sub": "x".repeat(201) })), Rejection::Subject),
        (json!({ "badSignature": true }), Rejection::Signature),
        (json!({ "foreignKey": true }), Rejection::Signature),
        (json!({ "algorithm": "ES256", "foreignKey": true }), Rejection::Signature),
        (json!({ "algorithm": "HS256" }), Rejection::Algorithm),
        (json!({ "header": { "alg": "RS512" } }), Rejection::Algorithm),
        (json!({ "header": { "alg": "ES256" } }), Rejection::Algorithm),
        (json!({ "algorithm": "none" }), Rejection::Malformed),
        (json!({ "header": { "alg": "nOnE" } }), Rejection::Malformed),
        (json!({ "header": { "crit": ["b64"], "b64": false } }), Rejection::Malformed),
        (json!({ "header": { "kid": null } }), Rejection::UnknownKey),
        (json!({ "header": { "kid": "made-up" } }), Rejection::UnknownKey),
    ] {
        let token = bench.mint(spec.clone()).await;
        match verify(&issuer, &token).await {
            Err(TokenError::Rejected(why)) => assert_eq!(why, expected, "{spec}"),
            other => panic!("{spec}: {other:?}"),
        }
    }
    for nonsense in ["", ".", "..", "a.b.c", "a.b.c.d.e", "eyJ9.e30.e30", "é.é.é"] {
        let refused = verify(&issuer, nonsense).await.unwrap_err();
        assert!(matches!(refused, TokenError::Rejected(Rejection::Malformed)), "{nonsense}");
    }
}

#[tokio::test]
async fn clock_skew_below_a_minute_is_tolerated() {
    let bench = bench().await;
    let issuer = bench.issuer();
    verify(&issuer, &bench.mint(json!({ "expiresIn": -30 })).await).await.unwrap();
    let now = jsonwebtoken::get_current_timestamp();
    let early = |by: u64| json!({ "claims": { "nbf": now + by } });
    verify(&issuer, &bench.mint(early(30)).await).await.unwrap();
    verify(&issuer, &bench.mint(early(90)).await).await.unwrap_err();
}

#[tokio::test]
async fn claims_of_keycloak_and_entra_tokens_are_understood() {
    let bench = bench().await;
    let role = json!(["docferry.write", "uma_authorization"]);
    for (subject_claim, scope_claim, claims) in [
        ("sub", "client_roles", json!({ "sub": "id", "client_roles": role })),
        (
            "sub",
            "resource_access.docferry.roles",
            json!({ "sub": "id", "resource_access": { "docferry": { "roles": role } } }),
        ),
        ("oid", "roles", json!({ "sub": "pairwise", "oid": "id", "roles": role })),
        (
            "oid",
            "scp",
            json!({ "sub": "pairwise", "oid": "id", "scp": "docferry.write User.Read" }),
        ),
    ] {
        let settings = OidcSettings {
            subject_claim: subject_claim.to_owned(),
            scope_claim: scope_claim.to_owned(),
            jwks_url: Some(format!("{}/jwks", bench.provider.url())),
            ..bench.settings()
        };
        let issuer = Issuer::of(settings).unwrap().unwrap();
        let caller = verify(&issuer, &bench.mint(json!({ "claims": claims })).await).await.unwrap();
        let scopes = Scopes::parse("docferry.write");
        assert_eq!(
            caller,
            Caller { subject: "id".to_owned(), scopes, graph_user: None },
            "{scope_claim}"
        );
    }
    assert!(
        Issuer::of(OidcSettings { issuer: String::new(), ..bench.settings() }).unwrap().is_none()
    );
}

#[tokio::test]
async fn failed_key_fetch_is_an_error_that_names_the_document() {
    let large = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(300 * 1024));
    let other =
        r#"{"issuer":"https://elsewhere.example","jwks_uri":"https://elsewhere.example/k"}"#;
    let fault = |operation: &str, body: &str| json!({ "operation": operation, "body": body });
    for rule in [
        json!({ "operation": "discovery", "status": 503 }),
        json!({ "operation": "discovery", "status": 302 }),
        json!({ "operation": "discovery", "dropResponse": true }),
        json!({ "operation": "jwks", "delayMs": 4000 }),
        fault("discovery", "<html>"),
        fault("discovery", other),
        fault("jwks", r#"{"keys":[]}"#),
        fault("jwks", &large),
    ] {
        let bench = bench().await;
        let issuer = bench.issuer();
        let token = bench.mint(json!({})).await;
        bench.admin("/faults", rule.clone()).await;
        let error = verify(&issuer, &token).await.unwrap_err();
        let TokenError::Unavailable(why) = error else { panic!("{rule}: {error:?}") };
        let text = why.to_string();
        assert!(text.contains("document") && !text.contains("http"), "{text}");
        assert!(!matches!(why, FetchError::OtherIssuer) || rule["body"] == other);
    }
}

/// Accounts that cannot be read.
struct NoAccount;

impl Accounts for NoAccount {
    async fn account(&self, _fresh: bool) -> Result<Arc<Account>, SecretError> {
        Err(SecretError::Invalid)
    }
}

fn request<T: serde::de::DeserializeOwned>(authorization: &str) -> T {
    serde_json::from_value(json!({
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:ca-central-1:123456789012:api/prod/GET/document/status/x",
        "headers": { "Authorization": authorization },
        "requestContext": {}
    }))
    .unwrap()
}

#[tokio::test]
async fn no_token_can_claim_to_be_the_service_account() {
    let bench = bench().await;
    let issuer = bench.issuer();
    let claims = json!({ "sub": "scv", "scope": "docferry.service docferry.read" });
    let token = bench.mint(json!({ "claims": claims })).await;
    let bearer = request(&format!("Bearer {token}"));
    // `NoAccount` fails if it is read: a bearer token must not cause a read of the account.
    let answer = decide(&NoAccount, Some(&issuer), &bearer).await.unwrap();
    assert_eq!(answer.principal_id.as_deref(), Some("sub:scv"));
    let context = json!({ "principal": "sub:scv", "scopes": "docferry.read docferry.service" });
    assert_eq!(answer.context, context);
    let policy = serde_json::to_value(&answer.policy_document).unwrap().to_string();
    assert!(policy.contains("api/prod/*"), "{policy}");
}

#[tokio::test]
async fn rejected_token_is_unauthorized_and_unreachable_issuer_is_not() {
    let bench = bench().await;
    let issuer = bench.issuer();
    let token = bench.mint(json!({ "expiresIn": -90 })).await;
    let bearer = request(&format!("Bearer {token}"));
    bench.admin("/faults", json!({ "operation": "discovery", "status": 503 })).await;
    let refusal = decide(&NoAccount, Some(&issuer), &bearer).await.unwrap_err();
    assert!(!refusal.to_string().contains(&token));
    assert_eq!(Diagnostic::from(refusal).error_message, "AUTHORIZER_UNAVAILABLE");

    let issuer = bench.issuer();
    for configured in [Some(&issuer), None] {
        let refusal = decide(&NoAccount, configured, &bearer).await.unwrap_err();
        let text = format!("{refusal} {refusal:?}");
        assert!(!text.contains("eyJ"), "{text}");
        let diagnostic = Diagnostic::from(refusal);
        assert_eq!(
            (diagnostic.error_type, diagnostic.error_message),
            ("Unauthorized".into(), "Unauthorized".into())
        );
    }
}
