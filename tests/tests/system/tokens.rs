//! Callers who bear a token of the issuer, and those who bear a false one.

use docferry_system_tests::{Answer, Api, Identity, SHORT, Sandbox, eventually};
use reqwest::{Method, StatusCode};
use serde_json::json;

const SOME_STATUS: &str = "/document/status/00000000000000000000000000000000";

/// What the API says to a caller with the service scope who asks for a transfer
/// that does not exist. A key that is new may take half a minute to be known.
async fn is_let_in(api: &Api, mint: impl AsyncFn() -> String) {
    eventually("the token is let in", SHORT, async || {
        let answer = api.with_token(&mint().await).get(SOME_STATUS).await;
        (answer.status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {}", answer.text);
    assert_eq!(answer.json()["code"], "UNAUTHORIZED", "{what}");
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("Basic realm="), "{challenge}");
    assert!(challenge.contains("Bearer realm="), "{challenge}");
}

#[tokio::test]
async fn a_token_of_the_issuer_gets_in_and_the_viewers_calls_want_the_service_scope() {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    // From the token endpoint, as any client gets one: all scopes but the service's.
    let token = identity.token().await;
    let api = sandbox.api.with_token(&token);
    let body = json!({ "objGuid": sandbox.guid, "email": sandbox.email }).to_string();
    for (method, path, body) in [
        (Method::GET, SOME_STATUS, None),
        (Method::POST, "/document/upload", Some(body.as_str())),
        (Method::POST, "/document/terminate", Some(r#"{"transferIds":[]}"#)),
        (Method::GET, "/ping", None),
    ] {
        let answer = eventually("the API lets us in", SHORT, async || {
            let answer = api.request(method.clone(), path, body).await;
            (answer.status != StatusCode::TOO_MANY_REQUESTS).then_some(answer)
        })
        .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {}", answer.text);
        assert_eq!(answer.media_type(), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["code"], "FORBIDDEN");
        assert!(problem["detail"].as_str().unwrap().contains("docferry.service"));
    }
    let table = sandbox.cloud.table().await;
    assert!(!table.iter().any(|item| item.contains(&sandbox.tag)), "nothing was made");
}

#[tokio::test]
async fn a_service_with_a_token_has_transfers_of_its_own() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    let token = Identity::new(&sandbox.stack).token_of(&sandbox.tag, "docferry.service").await;
    let service = Sandbox { api: sandbox.api.with_token(&token), ..sandbox.clone() };
    let (id, _) = service.deliver(&document).await;
    // To the service account it does not exist, nor to another service.
    let path = format!("/document/status/{id}");
    assert_eq!(sandbox.api.get(&path).await.status, StatusCode::NOT_FOUND);
    let scv = Identity::new(&sandbox.stack).token_of("scv", "docferry.service").await;
    assert_eq!(sandbox.api.with_token(&scv).get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn false_tokens_are_refused_whatever_is_false_about_them() {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    let claims = |claims: serde_json::Value| json!({ "claims": claims });
    for (what, wish) in [
        ("expired", json!({ "expiresIn": -120 })),
        ("without an end", claims(json!({ "exp": null }))),
        ("not yet good", claims(json!({ "nbf": 4_102_444_800_u64 }))),
        ("another audience", claims(json!({ "aud": "somebody-else" }))),
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
        ("a key of somebody else", json!({ "foreignKey": true })),
        ("a key that nobody has", json!({ "header": { "kid": sandbox.tag } })),
        ("no key named", json!({ "header": { "kid": null } })),
        ("one bit of the signature", json!({ "badSignature": true })),
    ] {
        let mut wish = wish;
        // So that only what is false about it keeps it out.
        if !wish["claims"].is_object() {
            wish["claims"] = json!({});
        }
        wish["claims"]["scope"] = "docferry.service".into();
        let token = identity.mint(&wish).await;
        assert_refused(&sandbox.api.with_token(&token).get(SOME_STATUS).await, what);
    }
    for nonsense in ["", "x", "a.b.c", "eyJ9.e30.e30"] {
        assert_refused(&sandbox.api.with_token(nonsense).get(SOME_STATUS).await, nonsense);
    }
    // And it is not so that nobody gets in.
    is_let_in(&sandbox.api, async || identity.token_of("good", "docferry.service").await).await;
}

#[tokio::test]
async fn a_token_signed_with_a_new_key_is_let_in_once_the_issuer_shows_the_key() {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    let scope = json!({ "scope": "docferry.service" });
    let wish = json!({ "algorithm": "ES256", "claims": scope });
    is_let_in(&sandbox.api, async || identity.mint(&wish).await).await;
    // Of a kind that the other tests do not use: they go on with their key.
    identity.rotate(&json!({ "algorithm": "ES256" })).await;
    is_let_in(&sandbox.api, async || identity.mint(&wish).await).await;
}
