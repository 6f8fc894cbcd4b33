//! Tests of the calls to Graph itself: tokens, users, drives, items and sessions.

mod support;

use docferry_app::ports::{ConflictPolicy, Drive as _, DriveError};
use docferry_graph::GraphDrive;
use serde_json::{Value, json};
use support::{Asked, Listener, ManualClock, TestDrive, destination, drive, settings};
use wiremock::matchers::{body_string_contains, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate, Times};

const TOKEN: &str = "/tenant/oauth2/v2.0/token";
const USER: &str = "/v1.0/users/ada%40court.example";
const DRIVE: &str = "/v1.0/users/u-1/drive";
const ITEM: &str = "/v1.0/users/u-1/drive/root:/a.pdf";

fn reply(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn error(status: u16, code: &str) -> ResponseTemplate {
    reply(status, json!({"error": {"code": code, "message": "not for logs"}}))
}

fn token(text: &str) -> ResponseTemplate {
    reply(
        200,
        json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": text}),
    )
}

async fn get(
    server: &MockServer,
    url_path: &str,
    answer: ResponseTemplate,
    times: impl Into<Times>,
) {
    let mock = Mock::given(method("GET")).and(path(url_path));
    mock.respond_with(answer).expect(times).mount(server).await;
}

async fn post(
    server: &MockServer,
    url_path: &str,
    answer: ResponseTemplate,
    times: impl Into<Times>,
) {
    let mock = Mock::given(method("POST")).and(path(url_path));
    mock.respond_with(answer).expect(times).mount(server).await;
}

/// Starts a server with one token and one user.
async fn tenant() -> MockServer {
    let server = MockServer::start().await;
    post(&server, TOKEN, token("t-1"), 1).await;
    get(&server, USER, reply(200, json!({"id": "u-1"})), 1).await;
    server
}

async fn find(drive: &TestDrive) -> Result<Option<u64>, DriveError> {
    let found = drive.find(&destination("", "a.pdf")).await;
    found.map(|item| item.map(|item| item.facts.size))
}

#[tokio::test]
async fn concurrent_calls_request_token_and_user_once() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(TOKEN))
        .and(body_string_contains("client_id=app"))
        .and(body_string_contains("client_secret=s3cret"))
        .and(body_string_contains("grant_type=client_credentials"))
        .and(body_string_contains("scope=http%3A%2F%2F127.0.0.1"))
        .and(body_string_contains("%2F.default"))
        .respond_with(token("t-1").set_delay(std::time::Duration::from_millis(50)))
        .expect(1)
        .mount(&server)
        .await;
    get(&server, USER, reply(200, json!({"id": "u-1"})), 1..).await;
    Mock::given(method("GET"))
        .and(path(ITEM))
        .and(header("authorization", "Bearer t-1"))
        .respond_with(reply(200, json!({"id": "i", "name": "a.pdf", "size": 5, "file": {}})))
        .mount(&server)
        .await;
    let drive = drive(&server.uri());
    let (a, b, c) = tokio::join!(find(&drive), find(&drive), find(&drive));
    assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], [Some(5); 3]);
    assert_eq!(find(&drive).await.unwrap(), Some(5));
}

#[tokio::test]
async fn token_is_renewed_at_80_percent_and_kept_if_renewal_fails() {
    let server = MockServer::start().await;
    let first_token = Mock::given(method("POST")).and(path(TOKEN));
    first_token.respond_with(token("t-1")).up_to_n_times(1).mount(&server).await;
    let failed_renewal = Mock::given(method("POST")).and(path(TOKEN));
    failed_renewal.respond_with(error(500, "x")).up_to_n_times(1).expect(1).mount(&server).await;
    post(&server, TOKEN, token("t-2"), 1).await;
    get(&server, USER, reply(200, json!({"id": "u-1"})), 1).await;
    for (bearer, times) in [("Bearer t-1", 4), ("Bearer t-2", 1)] {
        let mock = Mock::given(path(ITEM)).and(header("authorization", bearer));
        let item = json!({"id": "i", "name": "a.pdf", "size": 5, "file": {}});
        mock.respond_with(reply(200, item)).expect(times).mount(&server).await;
    }
    let clock = ManualClock::default();
    let drive = GraphDrive::new(&settings(&server.uri()), Asked::default(), clock.clone()).unwrap();
    // First use; just below 80 % of its life; a failed renewal, after which the token is kept;
    // within the pause after the failure.
    for seconds in [0, 2879, 1, 29] {
        clock.forward(seconds);
        find(&drive).await.unwrap();
    }
    clock.forward(2);
    find(&drive).await.unwrap();
}

#[tokio::test]
async fn unauthorized_call_renews_the_token_once_and_is_repeated() {
    let server = MockServer::start().await;
    let first_token = Mock::given(method("POST")).and(path(TOKEN));
    first_token.respond_with(token("t-1")).up_to_n_times(1).mount(&server).await;
    // Two renewals: one for the user, which succeeds, and one for the item, which stays rejected.
    post(&server, TOKEN, token("t-2"), 2).await;
    let rejected = Mock::given(path(USER)).and(header("authorization", "Bearer t-1"));
    let answer = error(401, "InvalidAuthenticationToken");
    rejected.respond_with(answer.clone()).expect(1).mount(&server).await;
    get(&server, USER, reply(200, json!({"id": "u-1"})), 1).await;
    let still_rejected = Mock::given(path(ITEM));
    still_rejected.respond_with(answer).up_to_n_times(2).expect(2).mount(&server).await;
    let drive = drive(&server.uri());
    let error = find(&drive).await.unwrap_err();
    let DriveError::Unauthorized { code } = error else { panic!("{error:?}") };
    assert_eq!(code, "InvalidAuthenticationToken");
}

#[tokio::test]
async fn rejected_client_secret_is_read_again() {
    let server = MockServer::start().await;
    let old = Mock::given(path(TOKEN)).and(body_string_contains("client_secret=s3cret&"));
    let expired_secret = json!({"error": "invalid_client", "error_codes": [7_000_222]});
    old.respond_with(reply(401, expired_secret)).expect(1).mount(&server).await;
    let new = Mock::given(path(TOKEN)).and(body_string_contains("client_secret=s3cret-new"));
    new.respond_with(token("t")).expect(1).mount(&server).await;
    get(&server, USER, reply(200, json!({"id": "u-1"})), 1).await;
    get(&server, ITEM, reply(200, json!({"id": "i", "name": "a.pdf", "size": 5, "file": {}})), 1)
        .await;
    let credentials = Asked::default();
    let clock = ManualClock::default();
    let drive = GraphDrive::new(&settings(&server.uri()), credentials.clone(), clock).unwrap();
    find(&drive).await.unwrap();
    assert_eq!(credentials.cached_and_fresh(), (1, 1));
}

#[tokio::test]
async fn token_errors_map_to_drive_errors() {
    for (answer, expected) in [
        (
            reply(400, json!({"error": "unauthorized_client"})),
            "the drive refuses our credentials (unauthorized_client)",
        ),
        (reply(429, json!({})).insert_header("retry-after", "3"), "the drive asks to slow down"),
        (error(503, "temporarily_unavailable"), "the drive asks to slow down"),
        (error(500, "x"), "the drive did not do it"),
        (reply(200, json!({})), "the drive did not do it"),
    ] {
        let server = MockServer::start().await;
        post(&server, TOKEN, answer, 1..).await;
        let error = find(&drive(&server.uri())).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn missing_user_drive_and_path_are_distinguished() {
    let server = MockServer::start().await;
    post(&server, TOKEN, token("t"), 1).await;
    get(&server, USER, error(404, "Request_ResourceNotFound"), 1).await;
    let found = find(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::RecipientNotFound)), "{found:?}");

    let server = tenant().await;
    get(&server, ITEM, error(404, "itemNotFound"), 1).await;
    get(&server, DRIVE, error(404, "ResourceNotFound"), 2).await;
    let create = format!("{ITEM}:/createUploadSession");
    post(&server, &create, error(404, "itemNotFound"), 1).await;
    let graph_drive = drive(&server.uri());
    let found = find(&graph_drive).await;
    assert!(matches!(found, Err(DriveError::DriveNotProvisioned)), "{found:?}");
    let dest = destination("", "a.pdf");
    let session = graph_drive.create_session(&dest, 5, ConflictPolicy::Replace).await;
    assert!(matches!(session, Err(DriveError::DriveNotProvisioned)), "{session:?}");

    let server = tenant().await;
    get(&server, ITEM, error(404, "itemNotFound"), 2).await;
    get(&server, DRIVE, reply(200, json!({"id": "d"})), 1).await;
    let drive = drive(&server.uri());
    assert_eq!(find(&drive).await.unwrap(), None);
    assert_eq!(find(&drive).await.unwrap(), None);
}

/// A 404 for a path does not prove that the drive is missing, so the drive is looked up each time.
#[tokio::test]
async fn missing_path_in_an_existing_drive_is_retryable() {
    let server = tenant().await;
    get(&server, DRIVE, reply(200, json!({"id": "d"})), 3).await;
    post(&server, &format!("{ITEM}:/createUploadSession"), error(404, "itemNotFound"), 2).await;
    Mock::given(method("PUT"))
        .and(path(format!("{ITEM}:/content")))
        .respond_with(error(404, "itemNotFound"))
        .expect(1)
        .mount(&server)
        .await;
    let drive = drive(&server.uri());
    let dest = destination("", "a.pdf");
    let policy = ConflictPolicy::Replace;
    for _ in 0..2 {
        let session = drive.create_session(&dest, 5, policy).await;
        assert!(matches!(session, Err(DriveError::NoEffect { .. })), "{session:?}");
    }
    let put = drive.put_whole(&dest, bytes::Bytes::new(), policy).await;
    assert!(matches!(put, Err(DriveError::NoEffect { .. })), "{put:?}");
}

#[tokio::test]
async fn file_in_place_of_a_folder_is_detected() {
    let root = "/v1.0/users/u-1/drive/root:";
    let file = json!({"id": "f", "name": "b", "size": 5, "file": {}});
    let folder = json!({"id": "f", "name": "b", "size": 5, "folder": {"childCount": 0}});
    for (item, expected) in [(file, true), (folder, false)] {
        let server = tenant().await;
        get(&server, &format!("{root}/a/b/c"), error(404, "itemNotFound"), 1).await;
        get(&server, &format!("{root}/a/b"), reply(200, item), 1).await;
        get(&server, DRIVE, reply(200, json!({"id": "d"})), 1).await;
        let dest = destination("a/b/c", "x.pdf");
        assert_eq!(drive(&server.uri()).has_file_in_path(&dest).await.unwrap(), expected);
    }
    let server = tenant().await;
    get(&server, &format!("{root}/a"), error(404, "itemNotFound"), 1).await;
    get(&server, DRIVE, reply(200, json!({"id": "d"})), 1).await;
    let dest = destination("a", "x.pdf");
    assert!(!drive(&server.uri()).has_file_in_path(&dest).await.unwrap());
}

/// A proxy may respond to any call with an HTML page.
#[tokio::test]
async fn html_page_instead_of_a_user_or_drive_is_retryable() {
    let page = || ResponseTemplate::new(200).set_body_string("<html></html>");
    let server = MockServer::start().await;
    post(&server, TOKEN, token("t"), 1).await;
    get(&server, USER, page(), 1).await;
    let found = find(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::NoEffect { .. })), "{found:?}");

    let server = tenant().await;
    get(&server, ITEM, error(404, "itemNotFound"), 1).await;
    get(&server, DRIVE, page(), 1).await;
    let found = find(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::NoEffect { .. })), "{found:?}");
}

#[tokio::test]
async fn folder_with_the_documents_name_is_a_conflict() {
    let server = tenant().await;
    let folder = json!({"id": "f", "size": 5, "folder": {"childCount": 0}});
    get(&server, ITEM, reply(200, folder), 1).await;
    let found = find(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::Conflict)), "{found:?}");
}

#[tokio::test]
async fn session_request_follows_the_contract() {
    let server = tenant().await;
    let expected = json!({
        "item": {
            "@microsoft.graph.conflictBehavior": "rename",
            "name": "l'été 1+1.pdf",
            "fileSize": 5_000_000_000_u64,
        },
        "deferCommit": false,
    });
    let dest =
        "/v1.0/users/u-1/drive/root:/%23A/l%27%C3%A9t%C3%A9%201%2B1.pdf:/createUploadSession";
    let answer = json!({
        "uploadUrl": "https://x-my.sharepoint.com/up?tempauth='s'",
        "expirationDateTime": "2026-01-02T03:04:05.678Z",
        "nextExpectedRanges": ["0-"],
    });
    Mock::given(method("POST"))
        .and(path(dest))
        .and(wiremock::matchers::body_json(expected))
        .and(header("content-type", "application/json"))
        .respond_with(reply(200, answer))
        .expect(1)
        .mount(&server)
        .await;
    let drive = drive(&server.uri());
    let dest = destination("#A", "l'été 1+1.pdf");
    let policy = ConflictPolicy::Rename;
    let session = drive.create_session(&dest, 5_000_000_000, policy).await.unwrap();
    assert_eq!(session.url.expose(), "https://x-my.sharepoint.com/up?tempauth='s'");
    let expires_at = session.expires_at.unwrap().to_string();
    assert_eq!(expires_at, "2026-01-02T03:04:05.678Z");
}

#[tokio::test]
async fn session_without_an_upload_url_is_ambiguous() {
    for body in [json!({}), json!({"uploadUrl": ""})] {
        let server = tenant().await;
        let create = format!("{ITEM}:/createUploadSession");
        post(&server, &create, reply(200, body), 1).await;
        let dest = destination("", "a.pdf");
        let drive = drive(&server.uri());
        let session = drive.create_session(&dest, 5, ConflictPolicy::Fail).await;
        assert!(matches!(session, Err(DriveError::Ambiguous(_))), "{session:?}");
    }
}

#[tokio::test]
async fn invalid_session_url_is_a_permanent_error() {
    for url in [
        "/up?x",
        "up",
        "https://x-my.sharepoint.com/up?key=a#b",
        "https://x-my.sharepoint.com/up?key=a\r\nHost: evil",
        "https://x my.sharepoint.com/up",
    ] {
        let server = tenant().await;
        let create = format!("{ITEM}:/createUploadSession");
        post(&server, &create, reply(200, json!({ "uploadUrl": url })), 1).await;
        let drive = drive(&server.uri());
        let dest = destination("", "a.pdf");
        let session = drive.create_session(&dest, 5, ConflictPolicy::Fail).await;
        let Err(DriveError::Refused { code }) = session else { panic!("{url}: {session:?}") };
        assert_eq!(code, "invalidUploadUrl", "{url}");
    }
}

#[tokio::test]
async fn session_url_at_a_foreign_host_is_a_permanent_error() {
    let server = tenant().await;
    let create = format!("{ITEM}:/createUploadSession");
    let answer = json!({"uploadUrl": "https://sharepoint.com.evil.example/up?x"});
    post(&server, &create, reply(200, answer), 1).await;
    let drive = drive(&server.uri());
    let session = drive.create_session(&destination("", "a.pdf"), 5, ConflictPolicy::Fail).await;
    let Err(DriveError::Refused { code }) = session else { panic!("{session:?}") };
    assert_eq!(code, "uploadHostNotAllowed");
}

#[tokio::test]
async fn empty_document_is_put_with_content_length_zero() {
    let server = Listener::bind().await;
    let drive = drive(&server.base);
    let dest = destination("", "a.pdf");
    let put = drive.put_whole(&dest, bytes::Bytes::new(), ConflictPolicy::Fail);
    let serve = async {
        let mut connection = server.accept().await;
        connection.request().await;
        let token = r#"{"expires_in":3599,"access_token":"t"}"#;
        connection.answer("200 OK", "", token).await;
        connection.request().await;
        connection.answer("200 OK", "", r#"{"id":"u-1"}"#).await;
        let (head, _) = connection.request().await;
        let item =
            r#"{"id":"i","name":"a.pdf","size":0,"file":{"hashes":{"quickXorHash":"AAA="}}}"#;
        connection.answer("201 Created", "", item).await;
        head
    };
    let (item, head) = tokio::join!(put, serve);
    assert_eq!(item.unwrap().id, "i");
    let target =
        "/v1.0/users/u-1/drive/root:/a.pdf:/content?@microsoft.graph.conflictBehavior=fail";
    assert!(head.starts_with(&format!("PUT {target} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn redirects_are_not_followed_and_errors_contain_no_address() {
    let server = tenant().await;
    let elsewhere = MockServer::start().await;
    let redirect = ResponseTemplate::new(302).insert_header("location", elsewhere.uri().as_str());
    get(&server, ITEM, redirect, 1).await;
    let graph_drive = drive(&server.uri());
    let found = find(&graph_drive).await;
    assert!(matches!(found, Err(DriveError::Refused { .. })), "{found:?}");
    assert!(elsewhere.received_requests().await.unwrap().is_empty());

    let unreachable = drive("http://127.0.0.1:1/ada@court.example");
    let error = find(&unreachable).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(matches!(error, DriveError::NoEffect { .. }), "{text}");
    assert!(!text.contains("ada"), "{text}");
}

#[tokio::test]
async fn item_lookup_selects_only_the_used_fields() {
    let server = tenant().await;
    Mock::given(path(ITEM))
        .and(query_param("$select", "id,name,size,file,folder,webUrl"))
        .respond_with(error(423, "resourceLocked"))
        .expect(1)
        .mount(&server)
        .await;
    let found = find(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::Locked)), "{found:?}");
}
