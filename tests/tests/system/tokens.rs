//! Tests of API calls with valid and invalid access tokens of the simulated identity provider.

use docferry_system_tests::{Api, ApiResponse, Identity, SHORT_TIMEOUT, Sandbox, eventually};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// Path of the status of a transfer that does not exist. An accepted caller gets 404 for it.
const UNKNOWN_TRANSFER_STATUS: &str = "/document/status/00000000000000000000000000000000";

/// Start of the year 2100 in seconds since 1970.
const YEAR_2100: u64 = 4_102_444_800;

/// Waits until a token with the service scope is accepted. It may take half a minute until docferry
/// knows a new signing key.
async fn wait_until_accepted(api: &Api, mint: impl AsyncFn() -> String) {
    eventually("the token is accepted", SHORT_TIMEOUT, async || {
        let response = api.with_token(&mint().await).get(UNKNOWN_TRANSFER_STATUS).await;
        (response.status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

/// Fails unless the response is a 401 that names both authentication schemes.
fn assert_refused(response: &ApiResponse, case: &str) {
    assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{case}: {}", response.text);
    assert_eq!(response.json()["code"], "UNAUTHORIZED", "{case}");
    let challenge = response.headers["www-authenticate"].to_str().unwrap();
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
        let response = api.request_unthrottled(method, path, body).await;
        assert_eq!(response.status, StatusCode::FORBIDDEN, "{path}: {}", response.text);
        assert_eq!(response.media_type(), "application/problem+json");
        let problem = response.json();
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
    // The service account and other services get 404 for the transfer.
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
    for (case, mut options) in [
        ("expired", json!({ "expiresIn": -120 })),
        ("without an expiry", claims(json!({ "exp": null }))),
        ("not yet valid", claims(json!({ "nbf": YEAR_2100 }))),
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
        // The scope is correct, so that only the defect of the case can cause the refusal.
        if !options["claims"].is_object() {
            options["claims"] = json!({});
        }
        options["claims"]["scope"] = "docferry.service".into();
        let token = identity.mint(&options).await;
        assert_refused(&sandbox.api.with_token(&token).get(UNKNOWN_TRANSFER_STATUS).await, case);
    }

    for malformed in ["", "x", "a.b.c", "eyJ9.e30.e30"] {
        assert_refused(
            &sandbox.api.with_token(malformed).get(UNKNOWN_TRANSFER_STATUS).await,
            malformed,
        );
    }

    // A valid token is accepted, so the defects cause the refusals above.
    wait_until_accepted(&sandbox.api, async || identity.token_of("good", "docferry.service").await)
        .await;
}

#[tokio::test]
async fn token_signed_with_a_rotated_key_is_accepted() {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    let scope = json!({ "scope": "docferry.service" });
    let options = json!({ "algorithm": "ES256", "claims": scope });
    wait_until_accepted(&sandbox.api, async || identity.mint(&options).await).await;
    // Rotates only keys of an algorithm that no other test uses.
    identity.rotate(&json!({ "algorithm": "ES256" })).await;
    wait_until_accepted(&sandbox.api, async || identity.mint(&options).await).await;
}
