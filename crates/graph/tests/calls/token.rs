//! Access tokens: requests, renewal and errors.

use docferry_app::ports::DriveError;
use docferry_graph::GraphDrive;
use serde_json::json;
use wiremock::matchers::{body_string_contains, header, method, path};
use wiremock::{Mock, MockServer};

use crate::mocks::{
    ITEM_PATH, TOKEN_PATH, USER_PATH, error_response, find_size, json_response, mock_get,
    mock_post, token_response,
};
use crate::support::{CountingCredentials, ManualClock, drive, settings};

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
    mock_get(&server, USER_PATH, json_response(200, json!({"id": "u-1"})), 1..).await;
    Mock::given(method("GET"))
        .and(path(ITEM_PATH))
        .and(header("authorization", "Bearer t-1"))
        .respond_with(json_response(
            200,
            json!({"id": "i", "name": "a.pdf", "size": 5, "file": {}}),
        ))
        .mount(&server)
        .await;
    let drive = drive(&server.uri());
    let (a, b, c) = tokio::join!(find_size(&drive), find_size(&drive), find_size(&drive));
    assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], [Some(5); 3]);
    assert_eq!(find_size(&drive).await.unwrap(), Some(5));
}

#[tokio::test]
async fn token_is_renewed_at_80_percent_and_kept_if_renewal_fails() {
    let server = MockServer::start().await;
    let first_token = Mock::given(method("POST")).and(path(TOKEN_PATH));
    first_token.respond_with(token_response("t-1")).up_to_n_times(1).mount(&server).await;
    let failed_renewal = Mock::given(method("POST")).and(path(TOKEN_PATH));
    failed_renewal
        .respond_with(error_response(500, "x"))
        .up_to_n_times(1)
        .expect(1)
        .mount(&server)
        .await;
    mock_post(&server, TOKEN_PATH, token_response("t-2"), 1).await;
    mock_get(&server, USER_PATH, json_response(200, json!({"id": "u-1"})), 1).await;
    for (bearer, times) in [("Bearer t-1", 4), ("Bearer t-2", 1)] {
        let mock = Mock::given(path(ITEM_PATH)).and(header("authorization", bearer));
        let item = json!({"id": "i", "name": "a.pdf", "size": 5, "file": {}});
        mock.respond_with(json_response(200, item)).expect(times).mount(&server).await;
    }
    let clock = ManualClock::default();
    let drive =
        GraphDrive::new(&settings(&server.uri()), CountingCredentials::default(), clock.clone())
            .unwrap();
    // First use; just below 80 % of its life; a failed renewal, after which the token is kept;
    // within the pause after the failure.
    for seconds in [0, 2879, 1, 29] {
        clock.advance_seconds(seconds);
        find_size(&drive).await.unwrap();
    }
    clock.advance_seconds(2);
    find_size(&drive).await.unwrap();
}

#[tokio::test]
async fn unauthorized_call_renews_the_token_once_and_is_repeated() {
    let server = MockServer::start().await;
    let first_token = Mock::given(method("POST")).and(path(TOKEN_PATH));
    first_token.respond_with(token_response("t-1")).up_to_n_times(1).mount(&server).await;
    // Two renewals: one for the user, which succeeds, and one for the item, which stays rejected.
    mock_post(&server, TOKEN_PATH, token_response("t-2"), 2).await;
    let rejected = Mock::given(path(USER_PATH)).and(header("authorization", "Bearer t-1"));
    let answer = error_response(401, "InvalidAuthenticationToken");
    rejected.respond_with(answer.clone()).expect(1).mount(&server).await;
    mock_get(&server, USER_PATH, json_response(200, json!({"id": "u-1"})), 1).await;
    let still_rejected = Mock::given(path(ITEM_PATH));
    still_rejected.respond_with(answer).up_to_n_times(2).expect(2).mount(&server).await;
    let drive = drive(&server.uri());
    let error = find_size(&drive).await.unwrap_err();
    let DriveError::Unauthorized { code } = error else { panic!("{error:?}") };
    assert_eq!(code, "InvalidAuthenticationToken");
}

#[tokio::test]
async fn rejected_client_secret_is_read_again() {
    let server = MockServer::start().await;
    let old = Mock::given(path(TOKEN_PATH)).and(body_string_contains("client_secret=s3cret&"));
    let expired_secret = json!({"error": "invalid_client", "error_codes": [7_000_222]});
    old.respond_with(json_response(401, expired_secret)).expect(1).mount(&server).await;
    let new = Mock::given(path(TOKEN_PATH)).and(body_string_contains("client_secret=s3cret-new"));
    new.respond_with(token_response("t")).expect(1).mount(&server).await;
    mock_get(&server, USER_PATH, json_response(200, json!({"id": "u-1"})), 1).await;
    mock_get(
        &server,
        ITEM_PATH,
        json_response(200, json!({"id": "i", "name": "a.pdf", "size": 5, "file": {}})),
        1,
    )
    .await;
    let credentials = CountingCredentials::default();
    let clock = ManualClock::default();
    let drive = GraphDrive::new(&settings(&server.uri()), credentials.clone(), clock).unwrap();
    find_size(&drive).await.unwrap();
    assert_eq!(credentials.cached_and_fresh_lookups(), (1, 1));
}

#[tokio::test]
async fn token_errors_map_to_drive_errors() {
    for (answer, expected) in [
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
        mock_post(&server, TOKEN_PATH, answer, 1..).await;
        let error = find_size(&drive(&server.uri())).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
