//! Tests of how the binary authenticates itself: with a bearer token, or as an OAuth client, which
//! requests tokens from an issuer with its client credentials (RFC 6749).
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

/// Client secret that the issuer accepts.
const CLIENT_SECRET: &str = "client secret/7";

/// Matches the request of `docferry list` with this token.
fn list_with_token(token: &str) -> MockBuilder {
    Mock::given(method("GET"))
        .and(path(format!("{STAGE}/v1/download/history")))
        .and(header("authorization", format!("Bearer {token}")))
}

/// Lets the issuer grant this token once, for the right client credentials.
async fn grant_token_once(server: &MockServer, token: &str) {
    let grant = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 300 });
    Mock::given(method("POST"))
        .and(path("/token"))
        // RFC 6749 requires that id and secret are each encoded before they are joined.
        .and(basic_auth("client%3A1", "client+secret%2F7"))
        .and(body_string("grant_type=client_credentials&scope=docferry.read+docferry.write"))
        .respond_with(json_response(&grant))
        .up_to_n_times(1)
        .mount(server)
        .await;
}

/// Returns a command that runs `docferry list` as an OAuth client with this secret.
fn list_as_oauth_client(server: &MockServer, client_secret: &str) -> std::process::Command {
    let mut command = docferry_command(&api_url(server), PASSWORD, &["--json", "list"]);
    command
        .env("DOCFERRY_TOKEN_URL", format!("{}/token", server.uri()))
        .env("DOCFERRY_CLIENT_ID", "client:1")
        .env("DOCFERRY_CLIENT_SECRET", client_secret)
        .env("DOCFERRY_TOKEN_SCOPE", "docferry.read docferry.write");
    command
}

/// Returns an empty page of the list of jobs, with the token of the page that follows it.
fn empty_page(next_page_token: Option<&str>) -> ResponseTemplate {
    json_response(&json!({ "items": [], "nextPageToken": next_page_token }))
}

#[tokio::test]
async fn bearer_token_has_priority_and_an_empty_one_is_ignored() {
    let server = MockServer::start().await;
    list_with_token("t0ken-1").respond_with(empty_page(None)).mount(&server).await;

    let mut command_with_token = docferry_command(&api_url(&server), PASSWORD, &["list"]);
    command_with_token.env("DOCFERRY_TOKEN", "t0ken-1");
    let output = run_command(command_with_token).await;

    assert_exit_code(&output, 0);

    Mock::given(method("GET"))
        .and(basic_auth(support::USERNAME, PASSWORD))
        .respond_with(empty_page(None))
        .mount(&server)
        .await;

    let mut command_with_empty_token = docferry_command(&api_url(&server), PASSWORD, &["list"]);
    command_with_empty_token.env("DOCFERRY_TOKEN", "");
    let output = run_command(command_with_empty_token).await;

    assert_exit_code(&output, 0);
}

#[tokio::test]
async fn empty_variable_counts_as_not_set() {
    let server = MockServer::start().await;
    for (variable, expected_text) in [
        ("DOCFERRY_API", "the API address is missing"),
        ("DOCFERRY_USERNAME", "the user name is missing"),
        ("DOCFERRY_PASSWORD", "the password is missing"),
    ] {
        let mut command = docferry_command(&api_url(&server), PASSWORD, &["list"]);
        command.env(variable, "");
        let output = run_command(command).await;
        assert_exit_code(&output, 1);
        assert_stderr_contains(&output, expected_text);
    }
    for (variable, expected_text) in [
        ("DOCFERRY_CLIENT_ID", "the client id is missing"),
        ("DOCFERRY_CLIENT_SECRET", "the client secret is missing"),
    ] {
        let mut command = list_as_oauth_client(&server, CLIENT_SECRET);
        command.env(variable, "");
        let output = run_command(command).await;
        assert_exit_code(&output, 1);
        assert_stderr_contains(&output, expected_text);
    }
}

#[tokio::test]
async fn oauth_client_reuses_one_token_for_all_calls() {
    let server = MockServer::start().await;
    grant_token_once(&server, "one").await;
    list_with_token("one")
        .respond_with(empty_page(Some("next")))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    list_with_token("one").respond_with(empty_page(None)).mount(&server).await;

    let output = run_command(list_as_oauth_client(&server, CLIENT_SECRET)).await;

    assert_exit_code(&output, 0);
    // One request for the token, and one for each of the two pages.
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn refused_token_is_replaced_once() {
    // The service refuses the first token and accepts the second one.
    let server = MockServer::start().await;
    grant_token_once(&server, "old").await;
    grant_token_once(&server, "new").await;
    let unauthorized = || problem_response(401, &json!({ "title": "Unauthorized", "status": 401 }));
    list_with_token("old").respond_with(unauthorized()).mount(&server).await;
    list_with_token("new").respond_with(empty_page(None)).up_to_n_times(1).mount(&server).await;

    let output = run_command(list_as_oauth_client(&server, CLIENT_SECRET)).await;

    assert_exit_code(&output, 0);

    // The service refuses both tokens. The command does not request a third one.
    server.reset().await;
    for token in ["old", "new"] {
        grant_token_once(&server, token).await;
        list_with_token(token).respond_with(unauthorized()).mount(&server).await;
    }

    let output = run_command(list_as_oauth_client(&server, CLIENT_SECRET)).await;

    assert_exit_code(&output, 4);
    // Two requests for tokens, and two for the page.
    assert_eq!(server.received_requests().await.unwrap().len(), 4);
}

#[tokio::test]
async fn refusal_by_the_issuer_exits_4_and_shows_no_secret() {
    let server = MockServer::start().await;
    let refusal = json!({ "error": "invalid_client", "error_description": "Unknown client" });
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(401).set_body_json(refusal))
        .mount(&server)
        .await;

    let output = run_command(list_as_oauth_client(&server, "wrong-secret-9")).await;

    assert_exit_code(&output, 4);
    let shown = stdout(&output) + &stderr(&output);
    assert!(shown.contains("Unknown client [invalid_client]"), "{shown}");
    assert!(!shown.contains("wrong-secret-9"), "{shown}");
}

#[tokio::test]
async fn client_secret_is_not_sent_without_tls() {
    let server = MockServer::start().await;

    let mut command = list_as_oauth_client(&server, CLIENT_SECRET);
    command.env("DOCFERRY_TOKEN_URL", "http://issuer.example/token");
    let output = run_command(command).await;

    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "must begin with https://");
}
