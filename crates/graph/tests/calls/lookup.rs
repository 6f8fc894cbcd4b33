//! Look-ups of users, drives and items.

use docferry_app::ports::{ConflictPolicy, Drive as _, DriveError};
use serde_json::json;
use wiremock::matchers::{path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::mocks::{
    DRIVE_PATH, ITEM_PATH, TOKEN_PATH, USER_PATH, error_response, find_size, json_response,
    mock_get, mock_post, start_server_with_user, token_response,
};
use crate::support::{destination, drive};

#[tokio::test]
async fn missing_user_drive_and_path_are_distinguished() {
    let server = MockServer::start().await;
    mock_post(&server, TOKEN_PATH, token_response("t"), 1).await;
    mock_get(&server, USER_PATH, error_response(404, "Request_ResourceNotFound"), 1).await;
    let found = find_size(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::RecipientNotFound)), "{found:?}");

    let server = start_server_with_user().await;
    mock_get(&server, ITEM_PATH, error_response(404, "itemNotFound"), 1).await;
    mock_get(&server, DRIVE_PATH, error_response(404, "ResourceNotFound"), 2).await;
    let create = format!("{ITEM_PATH}:/createUploadSession");
    mock_post(&server, &create, error_response(404, "itemNotFound"), 1).await;
    let graph_drive = drive(&server.uri());
    let found = find_size(&graph_drive).await;
    assert!(matches!(found, Err(DriveError::DriveNotProvisioned)), "{found:?}");

    let dest = destination("", "a.pdf");
    let session = graph_drive.create_session(&dest, 5, ConflictPolicy::Replace).await;
    assert!(matches!(session, Err(DriveError::DriveNotProvisioned)), "{session:?}");

    let server = start_server_with_user().await;
    mock_get(&server, ITEM_PATH, error_response(404, "itemNotFound"), 2).await;
    mock_get(&server, DRIVE_PATH, json_response(200, json!({"id": "d"})), 1).await;
    let drive = drive(&server.uri());
    assert_eq!(find_size(&drive).await.unwrap(), None);
    assert_eq!(find_size(&drive).await.unwrap(), None);
}

#[tokio::test]
async fn file_in_place_of_a_folder_is_detected() {
    let root = "/v1.0/users/u-1/drive/root:";
    let file = json!({"id": "f", "name": "b", "size": 5, "file": {}});
    let folder = json!({"id": "f", "name": "b", "size": 5, "folder": {"childCount": 0}});
    for (item, expected) in [(file, true), (folder, false)] {
        let server = start_server_with_user().await;
        mock_get(&server, &format!("{root}/a/b/c"), error_response(404, "itemNotFound"), 1).await;
        mock_get(&server, &format!("{root}/a/b"), json_response(200, item), 1).await;
        mock_get(&server, DRIVE_PATH, json_response(200, json!({"id": "d"})), 1).await;
        let dest = destination("a/b/c", "x.pdf");
        assert_eq!(drive(&server.uri()).has_file_in_path(&dest).await.unwrap(), expected);
    }

    let server = start_server_with_user().await;
    mock_get(&server, &format!("{root}/a"), error_response(404, "itemNotFound"), 1).await;
    mock_get(&server, DRIVE_PATH, json_response(200, json!({"id": "d"})), 1).await;
    let dest = destination("a", "x.pdf");
    assert!(!drive(&server.uri()).has_file_in_path(&dest).await.unwrap());
}

/// A proxy may respond to any call with an HTML page.
#[tokio::test]
async fn html_page_instead_of_a_user_or_drive_is_retryable() {
    let page = || ResponseTemplate::new(200).set_body_string("<html></html>");
    let server = MockServer::start().await;
    mock_post(&server, TOKEN_PATH, token_response("t"), 1).await;
    mock_get(&server, USER_PATH, page(), 1).await;
    let found = find_size(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::NoEffect { .. })), "{found:?}");

    let server = start_server_with_user().await;
    mock_get(&server, ITEM_PATH, error_response(404, "itemNotFound"), 1).await;
    mock_get(&server, DRIVE_PATH, page(), 1).await;
    let found = find_size(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::NoEffect { .. })), "{found:?}");
}

#[tokio::test]
async fn folder_with_the_documents_name_is_a_conflict() {
    let server = start_server_with_user().await;
    let folder = json!({"id": "f", "size": 5, "folder": {"childCount": 0}});
    mock_get(&server, ITEM_PATH, json_response(200, folder), 1).await;
    let found = find_size(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::Conflict)), "{found:?}");
}

#[tokio::test]
async fn redirects_are_not_followed_and_errors_contain_no_address() {
    let server = start_server_with_user().await;
    let elsewhere = MockServer::start().await;
    let redirect = ResponseTemplate::new(302).insert_header("location", elsewhere.uri().as_str());
    mock_get(&server, ITEM_PATH, redirect, 1).await;
    let graph_drive = drive(&server.uri());
    let found = find_size(&graph_drive).await;
    assert!(matches!(found, Err(DriveError::Refused { .. })), "{found:?}");
    assert!(elsewhere.received_requests().await.unwrap().is_empty());

    let unreachable = drive("http://127.0.0.1:1/ada@court.example");
    let error = find_size(&unreachable).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(matches!(error, DriveError::NoEffect { .. }), "{text}");
    assert!(!text.contains("ada"), "{text}");
}

#[tokio::test]
async fn item_lookup_selects_only_the_used_fields() {
    let server = start_server_with_user().await;
    Mock::given(path(ITEM_PATH))
        .and(query_param("$select", "id,name,size,file,folder,webUrl"))
        .respond_with(error_response(423, "resourceLocked"))
        .expect(1)
        .mount(&server)
        .await;
    let found = find_size(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::Locked)), "{found:?}");
}
