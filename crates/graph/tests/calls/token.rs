//! Tests of the access token of Microsoft Graph: how it is requested, when it is renewed, and which
//! errors the token endpoint causes.

use docferry_app::ports::DriveError;
use docferry_graph::GraphDrive;
use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, header, method, path};
use wiremock::{Mock, MockServer};

use crate::mocks::{
    ITEM_PATH, TOKEN_PATH, USER_PATH, error_response, find_size, json_response, mock_get,
    mock_post, token_response,
};
use crate::support::{CountingCredentials, ManualClock, drive, settings};

/// Body of a response that describes the file `a.pdf`.
fn item() -> Value {
    json!({"id": "i", "name": "a.pdf", "size": 5, "file": {}})
}

/// Body of a response that describes the recipient.
fn user() -> Value {
    json!({"id": "u-1"})
}

#[tokio::test]
async fn concurrent_calls_request_token_and_user_once() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(TOKEN_PATH))
        .and(body_string_contains("client_id=app"))
        .and(body_string_contains("client_secret=s3cret"))
        .and(body_string_contains("grant_type=client_credentials"))
        .and(body_string_contains("scope=http%3A%2F%2F127.0.0.1"))
        .and(body_string_contains("%2F.default"))
        .respond_with(token_response("t-1").set_delay(std::time::Duration::from_millis(50)))
        .expect(1)
        .mount(&server)
        .await;
    mock_get(&server, USER_PATH, json_response(200, user()), 1..).await;
    Mock::given(method("GET"))
        .and(path(ITEM_PATH))
        .and(header("authorization", "Bearer t-1"))
        .respond_with(json_response(200, item()))
        .mount(&server)
        .await;
    let drive = drive(&server.uri());

    let (first, second, third) =
        tokio::join!(find_size(&drive), find_size(&drive), find_size(&drive));

    assert_eq!([first.unwrap(), second.unwrap(), third.unwrap()], [Some(5); 3]);
    assert_eq!(find_size(&drive).await.unwrap(), Some(5));
}

#[tokio::test]
async fn token_is_renewed_at_80_percent_and_kept_if_renewal_fails() {
    let server = MockServer::start().await;
    let first_token = Mock::given(method("POST")).and(path(TOKEN_PATH));
    first_token.respond_with(token_response("t-1")).up_to_n_times(1).mount(&server).await;
    let second_request = Mock::given(method("POST")).and(path(TOKEN_PATH));
    second_request
        .respond_with(error_response(500, "x"))
        .up_to_n_times(1)
        .expect(1)
        .mount(&server)
        .await;
    mock_post(&server, TOKEN_PATH, token_response("t-2"), 1).await;
    mock_get(&server, USER_PATH, json_response(200, user()), 1).await;
    for (bearer, times) in [("Bearer t-1", 4), ("Bearer t-2", 1)] {
        let mock = Mock::given(path(ITEM_PATH)).and(header("authorization", bearer));
        mock.respond_with(json_response(200, item())).expect(times).mount(&server).await;
    }
    let clock = ManualClock::default();
    let drive =
        GraphDrive::new(&settings(&server.uri()), CountingCredentials::default(), clock.clone())
            .unwrap();

    // The token has a life of 3599 s, so it is renewed after 2879.2 s. The mocks expect the first
    // token in the first four calls, and the second token in the last call.
    let first_use = 0;
    let just_before_renewal = 2879;
    let failed_renewal = 1;
    let during_pause_after_failure = 29;
    let after_pause = 2;
    for seconds in
        [first_use, just_before_renewal, failed_renewal, during_pause_after_failure, after_pause]
    {
        clock.advance_seconds(seconds);
        find_size(&drive).await.unwrap();
    }
}

#[tokio::test]
async fn unauthorized_call_renews_the_token_once_and_is_repeated() {
    let server = MockServer::start().await;
    let first_token = Mock::given(method("POST")).and(path(TOKEN_PATH));
    first_token.respond_with(token_response("t-1")).up_to_n_times(1).mount(&server).await;
    // The token is renewed twice. After the first renewal, the repeated call of the user succeeds.
    // After the second renewal, the repeated call of the item is rejected again.
    mock_post(&server, TOKEN_PATH, token_response("t-2"), 2).await;
    let rejected = Mock::given(path(USER_PATH)).and(header("authorization", "Bearer t-1"));
    let unauthorized = error_response(401, "InvalidAuthenticationToken");
    rejected.respond_with(unauthorized.clone()).expect(1).mount(&server).await;
    mock_get(&server, USER_PATH, json_response(200, user()), 1).await;
    let still_rejected = Mock::given(path(ITEM_PATH));
    still_rejected.respond_with(unauthorized).up_to_n_times(2).expect(2).mount(&server).await;
    let drive = drive(&server.uri());

    let error = find_size(&drive).await.unwrap_err();

    let DriveError::Unauthorized { code } = error else { panic!("{error:?}") };
    assert_eq!(code, "InvalidAuthenticationToken");
}

#[tokio::test]
async fn rejected_client_secret_is_read_again() {
    let server = MockServer::start().await;
    let old_secret =
        Mock::given(path(TOKEN_PATH)).and(body_string_contains("client_secret=s3cret&"));
    let expired_secret = json!({"error": "invalid_client", "error_codes": [7_000_222]});
    old_secret.respond_with(json_response(401, expired_secret)).expect(1).mount(&server).await;
    let new_secret =
        Mock::given(path(TOKEN_PATH)).and(body_string_contains("client_secret=s3cret-new"));
    new_secret.respond_with(token_response("t")).expect(1).mount(&server).await;
    mock_get(&server, USER_PATH, json_response(200, user()), 1).await;
    mock_get(&server, ITEM_PATH, json_response(200, item()), 1).await;
    let credentials = CountingCredentials::default();
    let clock = ManualClock::default();
    let drive = GraphDrive::new(&settings(&server.uri()), credentials.clone(), clock).unwrap();

    find_size(&drive).await.unwrap();

    assert_eq!(credentials.cached_lookups(), 1);
    assert_eq!(credentials.fresh_lookups(), 1);
}

#[tokio::test]
async fn token_errors_map_to_drive_errors() {
    for (response, expected) in [
        (
            json_response(400, json!({"error": "unauthorized_client"})),
            "the drive refuses our credentials (unauthorized_client)",
        ),
        (
            json_response(429, json!({})).insert_header("retry-after", "3"),
            "the drive asks to slow down",
        ),
        (error_response(503, "temporarily_unavailable"), "the drive asks to slow down"),
        (error_response(500, "x"), "the drive did not do it"),
        (json_response(200, json!({})), "the drive did not do it"),
    ] {
        let server = MockServer::start().await;
        mock_post(&server, TOKEN_PATH, response, 1..).await;

        let error = find_size(&drive(&server.uri())).await.unwrap_err();

        assert_eq!(error.to_string(), expected);
    }
}
