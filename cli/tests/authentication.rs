//! Tests of authentication with bearer tokens and OAuth client credentials.
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use serde_json::json;
use support::jobs::json_response;
use support::{
    PASSWORD, STAGE, api_url, assert_exit_code, assert_stderr_contains, docferry_command,
    problem_response, run_command, stderr, stdout,
};
use wiremock::matchers::{basic_auth, body_string, header, method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

const SECRET: &str = "client secret/7";

/// Matches `docferry list` with this token.
fn list_with_token(token: &str) -> MockBuilder {
    Mock::given(method("GET"))
        .and(path(format!("{STAGE}/v1/download/history")))
        .and(header("authorization", format!("Bearer {token}")))
}

/// Lets the issuer grant this token once, for the right client credentials.
async fn issues_token(server: &MockServer, token: &str) {
    let granted = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 300 });
    Mock::given(method("POST"))
        .and(path("/token"))
        // RFC 6749 requires both to be encoded before they are joined.
        .and(basic_auth("client%3A1", "client+secret%2F7"))
        .and(body_string("grant_type=client_credentials&scope=docferry.read+docferry.write"))
        .respond_with(json_response(&granted))
        .up_to_n_times(1)
        .mount(server)
        .await;
}

fn as_client(server: &MockServer, secret: &str) -> std::process::Command {
    let mut command = docferry_command(&api_url(server), PASSWORD, &["--json", "list"]);
    command
        .env("DOCFERRY_TOKEN_URL", format!("{}/token", server.uri()))
        .env("DOCFERRY_CLIENT_ID", "client:1")
        .env("DOCFERRY_CLIENT_SECRET", secret)
        .env("DOCFERRY_TOKEN_SCOPE", "docferry.read docferry.write");
    command
}

fn page(next: Option<&str>) -> ResponseTemplate {
    json_response(&json!({ "items": [], "nextPageToken": next }))
}

#[tokio::test]
async fn bearer_token_has_priority_and_an_empty_one_is_ignored() {
    let server = MockServer::start().await;
    list_with_token("t0ken-1").respond_with(page(None)).mount(&server).await;
    let mut with = docferry_command(&api_url(&server), PASSWORD, &["list"]);
    let output = run_command({
        with.env("DOCFERRY_TOKEN", "t0ken-1");
        with
    })
    .await;
    assert_exit_code(&output, 0);

    Mock::given(method("GET"))
        .and(basic_auth(support::USERNAME, PASSWORD))
        .respond_with(page(None))
        .mount(&server)
        .await;
    let mut empty = docferry_command(&api_url(&server), PASSWORD, &["list"]);
    let output = run_command({
        empty.env("DOCFERRY_TOKEN", "");
        empty
    })
    .await;
    assert_exit_code(&output, 0);
}

#[tokio::test]
async fn oauth_client_reuses_one_token_for_all_calls() {
    let server = MockServer::start().await;
    issues_token(&server, "one").await;
    list_with_token("one").respond_with(page(Some("next"))).up_to_n_times(1).mount(&server).await;
    list_with_token("one").respond_with(page(None)).mount(&server).await;
    let output = run_command(as_client(&server, SECRET)).await;
    assert_exit_code(&output, 0);
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn refused_token_is_replaced_once() {
    let server = MockServer::start().await;
    issues_token(&server, "old").await;
    issues_token(&server, "new").await;
    let unauthorized = || problem_response(401, &json!({ "title": "Unauthorized", "status": 401 }));
    list_with_token("old").respond_with(unauthorized()).mount(&server).await;
    list_with_token("new").respond_with(page(None)).up_to_n_times(1).mount(&server).await;
    let output = run_command(as_client(&server, SECRET)).await;
    assert_exit_code(&output, 0);

    server.reset().await;
    for token in ["old", "new"] {
        issues_token(&server, token).await;
        list_with_token(token).respond_with(unauthorized()).mount(&server).await;
    }
    let output = run_command(as_client(&server, SECRET)).await;
    assert_exit_code(&output, 4);
    assert_eq!(server.received_requests().await.unwrap().len(), 4);
}

#[tokio::test]
async fn refusal_by_the_issuer_exits_4_and_shows_no_secret() {
    let server = MockServer::start().await;
    let refused = json!({ "error": "invalid_client", "error_description": "Unknown client" });
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(401).set_body_json(refused))
        .mount(&server)
        .await;
    let output = run_command(as_client(&server, "wrong-secret-9")).await;
    assert_exit_code(&output, 4);
    let shown = stdout(&output) + &stderr(&output);
    assert!(shown.contains("Unknown client [invalid_client]"), "{shown}");
    assert!(!shown.contains("wrong-secret-9"), "{shown}");
}

#[tokio::test]
async fn client_secret_is_not_sent_without_tls() {
    let server = MockServer::start().await;
    let mut command = as_client(&server, SECRET);
    command.env("DOCFERRY_TOKEN_URL", "http://issuer.example/token");
    let output = run_command(command).await;
    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "must begin with https://");
}
