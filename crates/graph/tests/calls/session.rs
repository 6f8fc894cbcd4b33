//! Tests of the calls to Microsoft Graph that create upload sessions or upload small documents.

use docferry_app::ports::{ConflictPolicy, Drive as _, DriveError};
use serde_json::json;
use wiremock::Mock;
use wiremock::matchers::{header, method, path};

use crate::mocks::{
    DRIVE_PATH, ITEM_PATH, error_response, json_response, mock_get, mock_post,
    start_server_with_user,
};
use crate::support::{Listener, destination, drive};

/// A 404 for a path does not prove that the drive is missing, so the drive is looked up each time.
#[tokio::test]
async fn missing_path_in_an_existing_drive_is_retryable() {
    let server = start_server_with_user().await;
    mock_get(&server, DRIVE_PATH, json_response(200, json!({"id": "d"})), 3).await;
    mock_post(
        &server,
        &format!("{ITEM_PATH}:/createUploadSession"),
        error_response(404, "itemNotFound"),
        2,
    )
    .await;
    Mock::given(method("PUT"))
        .and(path(format!("{ITEM_PATH}:/content")))
        .respond_with(error_response(404, "itemNotFound"))
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
async fn session_request_follows_the_contract() {
    let server = start_server_with_user().await;
    let request_body = json!({
        "item": {
            "@microsoft.graph.conflictBehavior": "rename",
            "name": "l'été 1+1.pdf",
            "fileSize": 5_000_000_000_u64,
        },
        "deferCommit": false,
    });
    let url_path =
        "/v1.0/users/u-1/drive/root:/%23A/l%27%C3%A9t%C3%A9%201%2B1.pdf:/createUploadSession";
    let response_body = json!({
        "uploadUrl": "https://x-my.sharepoint.com/up?tempauth='s'",
        "expirationDateTime": "2026-01-02T03:04:05.678Z",
        "nextExpectedRanges": ["0-"],
    });
    Mock::given(method("POST"))
        .and(path(url_path))
        .and(wiremock::matchers::body_json(request_body))
        .and(header("content-type", "application/json"))
        .respond_with(json_response(200, response_body))
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
        let server = start_server_with_user().await;
        let create_path = format!("{ITEM_PATH}:/createUploadSession");
        mock_post(&server, &create_path, json_response(200, body), 1).await;
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
        let server = start_server_with_user().await;
        let create_path = format!("{ITEM_PATH}:/createUploadSession");
        mock_post(&server, &create_path, json_response(200, json!({ "uploadUrl": url })), 1).await;
        let drive = drive(&server.uri());
        let dest = destination("", "a.pdf");
        let session = drive.create_session(&dest, 5, ConflictPolicy::Fail).await;

        let Err(DriveError::Refused { code }) = session else { panic!("{url}: {session:?}") };
        assert_eq!(code, "invalidUploadUrl", "{url}");
    }
}

#[tokio::test]
async fn session_url_at_a_foreign_host_is_a_permanent_error() {
    let server = start_server_with_user().await;
    let create_path = format!("{ITEM_PATH}:/createUploadSession");
    let body = json!({"uploadUrl": "https://sharepoint.com.evil.example/up?x"});
    mock_post(&server, &create_path, json_response(200, body), 1).await;
    let drive = drive(&server.uri());
    let session = drive.create_session(&destination("", "a.pdf"), 5, ConflictPolicy::Fail).await;

    let Err(DriveError::Refused { code }) = session else { panic!("{session:?}") };
    assert_eq!(code, "uploadHostNotAllowed");
}

#[tokio::test]
async fn empty_document_is_put_with_content_length_zero() {
    let server = Listener::bind().await;
    let drive = drive(&server.base_url);
    let dest = destination("", "a.pdf");
    let put = drive.put_whole(&dest, bytes::Bytes::new(), ConflictPolicy::Fail);
    let respond_to_token_user_and_put = async {
        let mut connection = server.accept().await;
        connection.read_request().await;
        let token = r#"{"expires_in":3599,"access_token":"t"}"#;
        connection.respond("200 OK", "", token).await;
        connection.read_request().await;
        connection.respond("200 OK", "", r#"{"id":"u-1"}"#).await;
        let (head, _) = connection.read_request().await;
        let item =
            r#"{"id":"i","name":"a.pdf","size":0,"file":{"hashes":{"quickXorHash":"AAA="}}}"#;
        connection.respond("201 Created", "", item).await;
        head
    };

    let (item, head) = tokio::join!(put, respond_to_token_user_and_put);

    assert_eq!(item.unwrap().id, "i");
    let target =
        "/v1.0/users/u-1/drive/root:/a.pdf:/content?@microsoft.graph.conflictBehavior=fail";
    assert!(head.starts_with(&format!("PUT {target} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
}
