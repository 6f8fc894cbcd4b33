//! Tests of the access token with which the client calls Microsoft Graph: how the client requests
//! it, when the client renews it, and which errors the client returns if a request for it fails.

use docferry_app::ports::DriveError;
use docferry_graph::GraphDrive;
use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, header, method, path};
use wiremock::{Mock, MockServer};

use crate::mocks::{
    ITEM_PATH, TOKEN_LIFE_SECONDS, TOKEN_PATH, USER_PATH, error_response, json_response,
    look_up_file_size, mock_get, mock_post, token_response,
};
use crate::support::{CountingCredentials, ManualClock, drive, settings};

/// Pause of the client after a failed renewal of the token, in seconds.
const PAUSE_AFTER_FAILURE_SECONDS: i64 = 30;

/// Error code with which the token endpoint rejects an expired client secret.
const EXPIRED_CLIENT_SECRET: u32 = 7_000_222;

/// Body of a response that describes the file `a.pdf`.
fn item_body() -> Value {
    json!({"id": "i", "name": "a.pdf", "size": 5, "file": {}})
}

/// Body of a response that describes the recipient.
fn user_body() -> Value {
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
    mock_get(&server, USER_PATH, json_response(200, user_body()), 1..).await;
    Mock::given(method("GET"))
        .and(path(ITEM_PATH))
        .and(header("authorization", "Bearer t-1"))
        .respond_with(json_response(200, item_body()))
        .mount(&server)
        .await;
    let drive = drive(&server.uri());

    let (first, second, third) = tokio::join!(
        look_up_file_size(&drive),
        look_up_file_size(&drive),
        look_up_file_size(&drive)
    );

    assert_eq!([first.unwrap(), second.unwrap(), third.unwrap()], [Some(5); 3]);
    assert_eq!(look_up_file_size(&drive).await.unwrap(), Some(5));
}

#[tokio::test]
async fn token_is_renewed_at_80_percent_and_kept_if_renewal_fails() {
    let server = MockServer::start().await;
    let first_request = Mock::given(method("POST")).and(path(TOKEN_PATH));
    first_request.respond_with(token_response("t-1")).up_to_n_times(1).mount(&server).await;
    let failed_request = Mock::given(method("POST")).and(path(TOKEN_PATH));
    failed_request
        .respond_with(error_response(500, "x"))
        .up_to_n_times(1)
        .expect(1)
        .mount(&server)
        .await;
    mock_post(&server, TOKEN_PATH, token_response("t-2"), 1).await;
    mock_get(&server, USER_PATH, json_response(200, user_body()), 1).await;
    for (bearer, times) in [("Bearer t-1", 4), ("Bearer t-2", 1)] {
        let mock = Mock::given(path(ITEM_PATH)).and(header("authorization", bearer));
        mock.respond_with(json_response(200, item_body())).expect(times).mount(&server).await;
    }
    let clock = ManualClock::default();
    let drive =
        GraphDrive::new(&settings(&server.uri()), CountingCredentials::default(), clock.clone())
            .unwrap();

    // The mocks expect the first token in the first four calls, and the second token in the last
    // call. Each value is the time of a call in seconds after the first call.
    let last_call_before_renewal = TOKEN_LIFE_SECONDS * 4 / 5;
    let call_with_failed_renewal = last_call_before_renewal + 1;
    let call_during_pause = call_with_failed_renewal + PAUSE_AFTER_FAILURE_SECONDS - 1;
    let call_after_pause = call_with_failed_renewal + PAUSE_AFTER_FAILURE_SECONDS + 1;
    let mut now = 0;
    for time in
        [0, last_call_before_renewal, call_with_failed_renewal, call_during_pause, call_after_pause]
    {
        clock.advance_seconds(time - now);
        now = time;
        look_up_file_size(&drive).await.unwrap();
    }
}

#[tokio::test]
async fn unauthorized_call_renews_the_token_once_and_is_repeated() {
    let server = MockServer::start().await;
    let first_request = Mock::given(method("POST")).and(path(TOKEN_PATH));
    first_request.respond_with(token_response("t-1")).up_to_n_times(1).mount(&server).await;
    // The client renews the token once for the user and once for the item.
    mock_post(&server, TOKEN_PATH, token_response("t-2"), 2).await;
    // Graph rejects the first request for the user, and accepts the repeated request.
    let first_user_request =
        Mock::given(path(USER_PATH)).and(header("authorization", "Bearer t-1"));
    let unauthorized = error_response(401, "InvalidAuthenticationToken");
    first_user_request.respond_with(unauthorized.clone()).expect(1).mount(&server).await;
    mock_get(&server, USER_PATH, json_response(200, user_body()), 1).await;
    // Graph rejects the first and the repeated request for the item.
    let item_requests = Mock::given(path(ITEM_PATH));
    item_requests.respond_with(unauthorized).up_to_n_times(2).expect(2).mount(&server).await;
    let drive = drive(&server.uri());

    let error = look_up_file_size(&drive).await.unwrap_err();

    let DriveError::Unauthorized { code } = error else { panic!("{error:?}") };
    assert_eq!(code, "InvalidAuthenticationToken");
}

#[tokio::test]
async fn rejected_client_secret_is_read_again() {
    let server = MockServer::start().await;
    let request_with_old_secret =
        Mock::given(path(TOKEN_PATH)).and(body_string_contains("client_secret=s3cret&"));
    let rejection = json!({"error": "invalid_client", "error_codes": [EXPIRED_CLIENT_SECRET]});
    request_with_old_secret
        .respond_with(json_response(401, rejection))
        .expect(1)
        .mount(&server)
        .await;
    let request_with_new_secret =
        Mock::given(path(TOKEN_PATH)).and(body_string_contains("client_secret=s3cret-new"));
    request_with_new_secret.respond_with(token_response("t")).expect(1).mount(&server).await;
    mock_get(&server, USER_PATH, json_response(200, user_body()), 1).await;
    mock_get(&server, ITEM_PATH, json_response(200, item_body()), 1).await;
    let credentials = CountingCredentials::default();
    let clock = ManualClock::default();
    let drive = GraphDrive::new(&settings(&server.uri()), credentials.clone(), clock).unwrap();

    look_up_file_size(&drive).await.unwrap();

    assert_eq!(credentials.cached_lookups(), 1);
    assert_eq!(credentials.fresh_lookups(), 1);
}

#[tokio::test]
async fn failed_token_request_returns_the_matching_drive_error() {
    let unauthorized = "the drive refuses our credentials (unauthorized_client)";
    let throttled = "the drive asks to slow down";
    let no_effect = "the drive did not carry out the request";
    for (response, expected_error) in [
        (json_response(400, json!({"error": "unauthorized_client"})), unauthorized),
        (json_response(429, json!({})).insert_header("retry-after", "3"), throttled),
        (error_response(503, "temporarily_unavailable"), throttled),
        (error_response(500, "x"), no_effect),
        (json_response(200, json!({})), no_effect),
    ] {
        let server = MockServer::start().await;
        mock_post(&server, TOKEN_PATH, response, 1..).await;

        let error = look_up_file_size(&drive(&server.uri())).await.unwrap_err();

        assert_eq!(error.to_string(), expected_error);
    }
}
