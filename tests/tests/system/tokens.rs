//! Tests of callers with valid and invalid access tokens.

use docferry_system_tests::{Answer, Api, Identity, SHORT_TIMEOUT, Sandbox, eventually};
use reqwest::{Method, StatusCode};
use serde_json::json;

const UNKNOWN_TRANSFER_STATUS: &str = "/document/status/00000000000000000000000000000000";

/// Waits until a token is accepted: a caller with the service scope gets 404 for an unknown
/// transfer. It may take half a minute until a new signing key is known.
async fn wait_until_accepted(api: &Api, mint: impl AsyncFn() -> String) {
    eventually("the token is accepted", SHORT_TIMEOUT, async || {
        let answer = api.with_token(&mint().await).get(UNKNOWN_TRANSFER_STATUS).await;
        (answer.status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

fn assert_refused(answer: &Answer, case: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{case}: {}", answer.text);
    assert_eq!(answer.json()["code"], "UNAUTHORIZED", "{case}");
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("Basic realm="), "{challenge}");
    assert!(challenge.contains("Bearer realm="), "{challenge}");
}

#[tokio::test]
async fn token_is_accepted_but_viewer_calls_need_the_service_scope() {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    // A token of the token endpoint has all scopes except `docferry.service`.
    let token = identity.token().await;
    let api = sandbox.api.with_token(&token);
    let body = json!({ "objGuid": sandbox.guid, "email": sandbox.email }).to_string();
    for (method, path, body) in [
        (Method::GET, UNKNOWN_TRANSFER_STATUS, None),
        (Method::POST, "/document/upload", Some(body.as_str())),
        (Method::POST, "/document/terminate", Some(r#"{"transferIds":[]}"#)),
        (Method::GET, "/ping", None),
    ] {
        let answer = api.request_unthrottled(method, path, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {}", answer.text);
        assert_eq!(answer.media_type(), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["code"], "FORBIDDEN");
        assert!(problem["detail"].as_str().unwrap().contains("docferry.service"));
    }

    let table = sandbox.cloud.items_as_text().await;
    assert!(!table.iter().any(|item| item.contains(&sandbox.tag)), "no transfer was created");
}

#[tokio::test]
async fn service_with_token_sees_only_its_own_transfers() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    let token = Identity::new(&sandbox.stack).token_of(&sandbox.tag, "docferry.service").await;
    let service = Sandbox { api: sandbox.api.with_token(&token), ..sandbox.clone() };
    let (id, _) = service.deliver(&document).await;
    // For the service account and for other services the transfer does not exist.
    let path = format!("/document/status/{id}");
    assert_eq!(sandbox.api.get(&path).await.status, StatusCode::NOT_FOUND);
    let scv = Identity::new(&sandbox.stack).token_of("scv", "docferry.service").await;
    assert_eq!(sandbox.api.with_token(&scv).get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_kind_of_invalid_token_is_refused() {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    let claims = |claims: serde_json::Value| json!({ "claims": claims });
    for (case, options) in [
        ("expired", json!({ "expiresIn": -120 })),
        ("without an expiry", claims(json!({ "exp": null }))),
        ("not yet valid", claims(json!({ "nbf": 4_102_444_800_u64 }))),
        ("another audience", claims(json!({ "aud": "another-service" }))),
        ("no audience", claims(json!({ "aud": null }))),
        ("another issuer", claims(json!({ "iss": "https://elsewhere.example" }))),
        (
            "the issuer with a slash",
            claims(json!({ "iss": format!("{}/", sandbox.stack.oidc.issuer) })),
        ),
        ("no subject", claims(json!({ "sub": null }))),
        ("an address as subject", claims(json!({ "sub": sandbox.email }))),
        ("not signed", json!({ "algorithm": "none" })),
        ("HMAC with the public key", json!({ "algorithm": "HS256" })),
        ("an algorithm that is not the key's", json!({ "header": { "alg": "PS256" } })),
        ("a key of another issuer", json!({ "foreignKey": true })),
        ("an unknown key id", json!({ "header": { "kid": sandbox.tag } })),
        ("no key id", json!({ "header": { "kid": null } })),
        ("one changed bit in the signature", json!({ "badSignature": true })),
    ] {
        let mut options = options;
        // The scope is right, so that only the tested defect can cause the refusal.
        if !options["claims"].is_object() {
            options["claims"] = json!({});
        }
        options["claims"]["scope"] = "docferry.service".into();
        let token = identity.mint(&options).await;
        assert_refused(&sandbox.api.with_token(&token).get(UNKNOWN_TRANSFER_STATUS).await, case);
    }

    for nonsense in ["", "x", "a.b.c", "eyJ9.e30.e30"] {
        assert_refused(
            &sandbox.api.with_token(nonsense).get(UNKNOWN_TRANSFER_STATUS).await,
            nonsense,
        );
    }

    // A valid token is accepted: the refusals above are caused by the defects.
    wait_until_accepted(&sandbox.api, async || identity.token_of("good", "docferry.service").await)
        .await;
}

#[tokio::test]
async fn token_with_a_new_key_is_accepted_after_key_publication() {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    let scope = json!({ "scope": "docferry.service" });
    let options = json!({ "algorithm": "ES256", "claims": scope });
    wait_until_accepted(&sandbox.api, async || identity.mint(&options).await).await;
    // Rotates only keys of an algorithm that the other tests do not use.
    identity.rotate(&json!({ "algorithm": "ES256" })).await;
    wait_until_accepted(&sandbox.api, async || identity.mint(&options).await).await;
}
