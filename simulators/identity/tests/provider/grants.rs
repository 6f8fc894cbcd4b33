//! Tests of the tokens that the OpenID Connect provider simulator issues for client credentials and
//! for authorization codes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use docferry_sim_identity::Algorithm;
use reqwest::StatusCode;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::bench::{REDIRECT_URI, start_bench};

#[tokio::test]
async fn client_credentials_token_is_valid_for_an_independent_library() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let bench = start_bench(algorithm).await;
        let token = bench.client_credentials_token().await;
        let claims = bench.verify_token(&token, "docferry").await.unwrap().claims;
        assert_eq!(claims["sub"], "service");
        assert_eq!(claims["scope"], "docferry.read docferry.write");
        assert_eq!(claims["client_roles"], json!(["docferry.read"]));
        assert_eq!(
            (&claims["roles"], &claims["oid"]),
            (&json!(["docferry.write"]), &json!("object"))
        );
        let lifetime_seconds = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(lifetime_seconds, 300);
        bench.verify_token(&token, "other-audience").await.unwrap_err();
    }
}

#[tokio::test]
async fn clients_need_their_secret_and_get_only_their_scopes() {
    let bench = start_bench(Algorithm::Rs256).await;
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
        let (actual_status, body) = bench.request_token(&form).await;
        assert_eq!((actual_status.as_u16(), &body["error"]), (status, &json!(error)));
    }

    let (_, body) = bench.request_token(&form_for("service", "p:w%d", "docferry.read")).await;
    assert_eq!(body["scope"], "docferry.read");

    // In a Basic header, the client id and the secret are form-encoded.
    let url = format!("{}/token", bench.provider.url());
    let request = bench.http.post(url).basic_auth("service", Some("p%3Aw%25d"));
    let response = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn authorization_code_is_exchanged_once_with_its_verifier() {
    let bench = start_bench(Algorithm::Rs256).await;
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
        bench.request_token(&form).await
    };
    let (status, redirect) = bench.authorize(&[("code_challenge", &challenge)]).await;
    assert_eq!((status, redirect["state"].as_str()), (StatusCode::FOUND, "s t"));
    assert_eq!(redirect["iss"], bench.provider.url());

    let (status, response) = exchange(&redirect["code"], &verifier, REDIRECT_URI).await;
    assert_eq!(status, StatusCode::OK, "{response}");
    // The token has only scopes that were requested and that both the client and the user may have.
    assert_eq!(response["scope"], "openid docferry.read");

    let access =
        bench.verify_token(response["access_token"].as_str().unwrap(), "docferry").await.unwrap();
    let id = bench.verify_token(response["id_token"].as_str().unwrap(), "page").await.unwrap();
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
    let bench = start_bench(Algorithm::Rs256).await;
    let challenge = "c".repeat(43);
    let valid_challenge = ("code_challenge", challenge.as_str());
    for (overrides, error) in [
        (vec![], "invalid_request"),
        (vec![valid_challenge, ("code_challenge_method", "plain")], "invalid_request"),
        (vec![valid_challenge, ("login_hint", "unknown")], "login_required"),
        (vec![valid_challenge, ("response_type", "token")], "unsupported_response_type"),
    ] {
        assert_eq!(bench.authorize(&overrides).await.1["error"], error);
    }

    for wrong_parameter in [("redirect_uri", "http://elsewhere.example"), ("client_id", "unknown")]
    {
        let (status, redirect) = bench.authorize(&[valid_challenge, wrong_parameter]).await;
        assert_eq!((status.as_u16(), redirect.len()), (400, 0));
    }
}
