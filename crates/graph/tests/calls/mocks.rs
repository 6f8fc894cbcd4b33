//! Mock server of Microsoft Graph for the tests of the client: URL paths, responses, and the
//! requests that the server expects.

use docferry_app::ports::{Drive as _, DriveError};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate, Times};

use crate::support::{TestDrive, destination};

/// Path of the token endpoint.
pub(crate) const TOKEN_PATH: &str = "/tenant/oauth2/v2.0/token";

/// Path of the recipient, who has the id `u-1`.
pub(crate) const USER_PATH: &str = "/v1.0/users/ada%40court.example";

/// Path of the recipient's drive.
pub(crate) const DRIVE_PATH: &str = "/v1.0/users/u-1/drive";

/// Path of the file `a.pdf` in the root of the drive.
pub(crate) const ITEM_PATH: &str = "/v1.0/users/u-1/drive/root:/a.pdf";

/// Response with a JSON body.
pub(crate) fn json_response(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

/// Error response of Graph.
pub(crate) fn error_response(status: u16, code: &str) -> ResponseTemplate {
    json_response(status, json!({"error": {"code": code, "message": "not for logs"}}))
}

/// Life of each access token that the mock server issues, in seconds.
pub(crate) const TOKEN_LIFE_SECONDS: i64 = 3599;

/// Response of the token endpoint with this access token.
pub(crate) fn token_response(access_token: &str) -> ResponseTemplate {
    let body = json!({
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFE_SECONDS,
        "ext_expires_in": TOKEN_LIFE_SECONDS,
        "access_token": access_token,
    });
    json_response(200, body)
}

/// Makes the server send `response` to GET requests for a path, and expect `times` such requests.
pub(crate) async fn mock_get(
    server: &MockServer,
    url_path: &str,
    response: ResponseTemplate,
    times: impl Into<Times>,
) {
    let mock = Mock::given(method("GET")).and(path(url_path));
    mock.respond_with(response).expect(times).mount(server).await;
}

/// Makes the server send `response` to POST requests for a path, and expect `times` such requests.
pub(crate) async fn mock_post(
    server: &MockServer,
    url_path: &str,
    response: ResponseTemplate,
    times: impl Into<Times>,
) {
    let mock = Mock::given(method("POST")).and(path(url_path));
    mock.respond_with(response).expect(times).mount(server).await;
}

/// Starts a server that expects one request for a token and one look-up of the recipient.
pub(crate) async fn start_server_with_user() -> MockServer {
    let server = MockServer::start().await;
    mock_post(&server, TOKEN_PATH, token_response("t-1"), 1).await;
    mock_get(&server, USER_PATH, json_response(200, json!({"id": "u-1"})), 1).await;
    server
}

/// Looks up the file `a.pdf` and returns its size.
pub(crate) async fn look_up_file_size(drive: &TestDrive) -> Result<Option<u64>, DriveError> {
    let found = drive.find(&destination("", "a.pdf")).await;
    found.map(|item| item.map(|item| item.facts.size))
}
