//! Mock server of Graph: paths, responses and expected requests.

use docferry_app::ports::{Drive as _, DriveError};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate, Times};

use crate::support::{TestDrive, destination};

/// Path of the token endpoint.
pub(crate) const TOKEN_PATH: &str = "/tenant/oauth2/v2.0/token";

/// Path of the recipient.
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

/// Response of the token endpoint with this access token.
pub(crate) fn token_response(text: &str) -> ResponseTemplate {
    json_response(
        200,
        json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": text}),
    )
}

/// Answers GET requests for a path, and expects `times` of them.
pub(crate) async fn mock_get(
    server: &MockServer,
    url_path: &str,
    answer: ResponseTemplate,
    times: impl Into<Times>,
) {
    let mock = Mock::given(method("GET")).and(path(url_path));
    mock.respond_with(answer).expect(times).mount(server).await;
}

/// Answers POST requests for a path, and expects `times` of them.
pub(crate) async fn mock_post(
    server: &MockServer,
    url_path: &str,
    answer: ResponseTemplate,
    times: impl Into<Times>,
) {
    let mock = Mock::given(method("POST")).and(path(url_path));
    mock.respond_with(answer).expect(times).mount(server).await;
}

/// Starts a server with one token and one user.
pub(crate) async fn start_server_with_user() -> MockServer {
    let server = MockServer::start().await;
    mock_post(&server, TOKEN_PATH, token_response("t-1"), 1).await;
    mock_get(&server, USER_PATH, json_response(200, json!({"id": "u-1"})), 1).await;
    server
}

/// Looks up the file `a.pdf` and returns its size.
pub(crate) async fn find_size(drive: &TestDrive) -> Result<Option<u64>, DriveError> {
    let found = drive.find(&destination("", "a.pdf")).await;
    found.map(|item| item.map(|item| item.facts.size))
}
