//! Tests of the verification of tokens by [`Issuer`], and of its errors.

use std::collections::BTreeSet;

use authorizer::oidc::{Caller, FetchError, Issuer, OidcSettings, Rejection, TokenError};
use docferry_contract::scope::Scopes;
use serde_json::{Value, json};

use crate::issuer::{ADA_GRAPH_ID, SimulatedIssuer, verify_token};

/// Start of the year 2100 in seconds since 1970.
const YEAR_2100: u64 = 4_102_444_800;

#[tokio::test]
async fn valid_tokens_of_both_algorithms_identify_the_caller_and_scopes() {
    let provider = SimulatedIssuer::start().await;
    let issuer = provider.issuer();
    for algorithm in ["RS256", "ES256"] {
        let scope = "openid docferry.read else.where";
        let claims = json!({ "sub": "ada", "scope": scope, "oid": ADA_GRAPH_ID });
        let token = provider.mint(json!({ "algorithm": algorithm, "claims": claims })).await;
        let caller = verify_token(&issuer, &token).await.unwrap();
        let scopes = Scopes::parse("docferry.read");
        let graph_user = Some(ADA_GRAPH_ID.to_owned());
        assert_eq!(
            caller,
            Caller { subject: "ada".to_owned(), scopes, graph_user, documents: BTreeSet::new() }
        );
    }

    let with_two_audiences = json!({ "claims": { "aud": ["other", "docferry"] } });
    verify_token(&issuer, &provider.mint(with_two_audiences).await).await.unwrap();
    assert_eq!(provider.key_fetch_count().await, 1, "keys are cached");
}

#[tokio::test]
async fn invalid_tokens_are_rejected_with_the_matching_reason() {
    let provider = SimulatedIssuer::start().await;
    let issuer = provider.issuer();
    let claims = |claims: Value| json!({ "claims": claims });
    let url = provider.running.url();
    for (options, expected) in [
        // Clocks may differ by 60 s.
        (json!({ "expiresIn": -90 }), Rejection::Expired),
        (claims(json!({ "exp": null })), Rejection::Claims),
        (claims(json!({ "exp": "tomorrow" })), Rejection::Claims),
        (claims(json!({ "nbf": YEAR_2100 })), Rejection::NotYet),
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
        // A subject has at most 200 characters.
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
        let token = provider.mint(options.clone()).await;
        match verify_token(&issuer, &token).await {
            Err(TokenError::Rejected(reason)) => assert_eq!(reason, expected, "{options}"),
            result => panic!("{options}: {result:?}"),
        }
    }

    for nonsense in ["", ".", "..", "a.b.c", "a.b.c.d.e", "eyJ9.e30.e30", "é.é.é"] {
        let refused = verify_token(&issuer, nonsense).await.unwrap_err();
        assert!(matches!(refused, TokenError::Rejected(Rejection::Malformed)), "{nonsense}");
    }
}

#[tokio::test]
async fn clock_skew_below_a_minute_is_tolerated() {
    let provider = SimulatedIssuer::start().await;
    let issuer = provider.issuer();
    verify_token(&issuer, &provider.mint(json!({ "expiresIn": -30 })).await).await.unwrap();
    let now = jsonwebtoken::get_current_timestamp();
    let valid_in = |seconds: u64| json!({ "claims": { "nbf": now + seconds } });
    verify_token(&issuer, &provider.mint(valid_in(30)).await).await.unwrap();
    verify_token(&issuer, &provider.mint(valid_in(90)).await).await.unwrap_err();
}

#[tokio::test]
async fn claims_of_keycloak_and_entra_tokens_are_understood() {
    let provider = SimulatedIssuer::start().await;
    let roles = json!(["docferry.write", "uma_authorization"]);
    for (subject_claim, scope_claim, claims) in [
        ("sub", "client_roles", json!({ "sub": "id", "client_roles": roles })),
        (
            "sub",
            "resource_access.docferry.roles",
            json!({ "sub": "id", "resource_access": { "docferry": { "roles": roles } } }),
        ),
        ("oid", "roles", json!({ "sub": "pairwise", "oid": "id", "roles": roles })),
        (
            "oid",
            "scp",
            json!({ "sub": "pairwise", "oid": "id", "scp": "docferry.write User.Read" }),
        ),
    ] {
        let settings = OidcSettings {
            subject_claim: subject_claim.to_owned(),
            scope_claim: scope_claim.to_owned(),
            jwks_url: Some(format!("{}/jwks", provider.running.url())),
            ..provider.settings()
        };
        let issuer = Issuer::of(settings).unwrap().unwrap();
        let caller =
            verify_token(&issuer, &provider.mint(json!({ "claims": claims })).await).await.unwrap();
        let scopes = Scopes::parse("docferry.write");
        assert_eq!(
            caller,
            Caller {
                subject: "id".to_owned(),
                scopes,
                graph_user: None,
                documents: BTreeSet::new()
            },
            "{scope_claim}"
        );
    }

    let without_issuer = OidcSettings { issuer: String::new(), ..provider.settings() };
    assert!(Issuer::of(without_issuer).unwrap().is_none());
}

#[tokio::test]
async fn failed_key_fetch_is_an_error_that_names_the_document() {
    // The limit is 256 KiB.
    let too_large = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(300 * 1024));
    let of_another_issuer =
        r#"{"issuer":"https://elsewhere.example","jwks_uri":"https://elsewhere.example/k"}"#;
    let body_fault = |operation: &str, body: &str| json!({ "operation": operation, "body": body });
    for rule in [
        json!({ "operation": "discovery", "status": 503 }),
        json!({ "operation": "discovery", "status": 302 }),
        json!({ "operation": "discovery", "dropResponse": true }),
        // The timeout is 3 s.
        json!({ "operation": "jwks", "delayMs": 4000 }),
        body_fault("discovery", "<html>"),
        body_fault("discovery", of_another_issuer),
        body_fault("jwks", r#"{"keys":[]}"#),
        body_fault("jwks", &too_large),
    ] {
        let provider = SimulatedIssuer::start().await;
        let issuer = provider.issuer();
        let token = provider.mint(json!({})).await;
        provider.post_admin("/faults", rule.clone()).await;
        let error = verify_token(&issuer, &token).await.unwrap_err();
        let TokenError::Unavailable(reason) = error else { panic!("{rule}: {error:?}") };
        let text = reason.to_string();
        assert!(text.contains("document") && !text.contains("http"), "{text}");
        assert!(!matches!(reason, FetchError::OtherIssuer) || rule["body"] == of_another_issuer);
    }
}
