//! Tests of the discovery document and the admin interface of the OpenID Connect provider
//! simulator.

use docferry_sim_identity::Algorithm;
use jsonwebtoken::decode_header;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::bench::start_bench;

#[tokio::test]
async fn endpoints_in_the_discovery_document_exist() {
    let bench = start_bench(Algorithm::Rs256).await;
    let found = bench.get_json("/.well-known/openid-configuration").await;
    assert_eq!(found["issuer"], bench.provider.url());
    for endpoint in ["jwks_uri", "token_endpoint", "authorization_endpoint"] {
        let response = bench.http.get(found[endpoint].as_str().unwrap()).send().await.unwrap();
        assert_ne!(response.status(), StatusCode::NOT_FOUND, "{endpoint}");
    }
    assert_eq!(bench.get_json("/jwks").await["keys"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn key_rotation_can_keep_or_remove_the_old_key() {
    let bench = start_bench(Algorithm::Rs256).await;
    let first = bench.client_credentials_token().await;
    bench.post_admin("/rotate", json!({ "algorithm": "RS256", "keep": true })).await;
    let second = bench.client_credentials_token().await;
    assert_ne!(decode_header(&first).unwrap().kid, decode_header(&second).unwrap().kid);

    bench.verify_token(&first, "docferry").await.unwrap();
    bench.verify_token(&second, "docferry").await.unwrap();
    bench.post_admin("/rotate", json!({})).await;
    let key_set = bench.get_json("/jwks").await;
    let ids: Vec<_> = key_set["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    let id_of = |token: &str| json!(decode_header(token).unwrap().kid.unwrap());
    assert!(ids.contains(&&id_of(&first)) && !ids.contains(&&id_of(&second)));
}

#[tokio::test]
async fn forged_and_malformed_tokens_can_be_minted() {
    let bench = start_bench(Algorithm::Rs256).await;
    let mint = async |request: Value| {
        let response = bench.post_admin("/mint", request).await;
        response["token"].as_str().unwrap().to_owned()
    };
    let good = mint(json!({ "claims": { "sub": "x", "iat": null } })).await;
    let claims = bench.verify_token(&good, "docferry").await.unwrap().claims;
    assert_eq!((&claims["sub"], &claims["iat"]), (&json!("x"), &Value::Null));

    let es = mint(json!({ "algorithm": "ES256" })).await;
    bench.verify_token(&es, "docferry").await.unwrap();
    for request in [
        json!({ "expiresIn": -61 }),
        json!({ "badSignature": true }),
        json!({ "foreignKey": true }),
        json!({ "algorithm": "ES256", "foreignKey": true }),
        json!({ "algorithm": "HS256" }),
        json!({ "claims": { "exp": null } }),
    ] {
        assert!(
            bench.verify_token(&mint(request.clone()).await, "docferry").await.is_err(),
            "{request}"
        );
    }

    let unsigned = mint(json!({ "algorithm": "none" })).await;
    assert!(unsigned.ends_with('.') && decode_header(&unsigned).is_err());
}

#[tokio::test]
async fn clients_and_users_can_be_added_without_exposing_secrets() {
    let bench = start_bench(Algorithm::Rs256).await;
    let client = json!({ "clientId": "new", "clientSecret": "hidden", "scopes": ["a"] });
    let shown = bench.post_admin("/clients", client).await;
    assert!(!shown.to_string().contains("hidden"));

    bench
        .post_admin("/users", json!({ "login": "grace", "oid": "o", "scopes": ["docferry.read"] }))
        .await;
    let challenge = "c".repeat(43);
    let hint = [("code_challenge", challenge.as_str()), ("login_hint", "grace")];
    assert!(bench.authorize(&hint).await.1.contains_key("code"));

    let form =
        [("grant_type", "client_credentials"), ("client_id", "new"), ("client_secret", "hidden")];
    assert_eq!(bench.request_token(&form).await.1["scope"], "a");
}

#[tokio::test]
async fn fault_rule_can_make_the_key_set_unavailable() {
    let bench = start_bench(Algorithm::Rs256).await;
    bench.post_admin("/faults", json!({ "operation": "jwks", "status": 503 })).await;
    let url = format!("{}/jwks", bench.provider.url());
    assert_eq!(bench.http.get(&url).send().await.unwrap().status(), 503);
    assert_eq!(bench.http.get(&url).send().await.unwrap().status(), 200);
}
