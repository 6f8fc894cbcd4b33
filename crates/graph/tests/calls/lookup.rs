//! Tests of the calls to Microsoft Graph that look up users, drives and items.

use docferry_app::ports::{ConflictPolicy, Drive as _, DriveError};
use serde_json::json;
use wiremock::matchers::{path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::mocks::{
    DRIVE_PATH, ITEM_PATH, TOKEN_PATH, USER_PATH, error_response, json_response, look_up_file_size,
    mock_get, mock_post, start_server_with_user, token_response,
};
use crate::support::{destination, drive};

#[tokio::test]
async fn lookup_for_a_missing_user_fails_with_recipient_not_found() {
    let server = MockServer::start().await;
    mock_post(&server, TOKEN_PATH, token_response("t"), 1).await;
    mock_get(&server, USER_PATH, error_response(404, "Request_ResourceNotFound"), 1).await;

    let found = look_up_file_size(&drive(&server.uri())).await;

    assert!(matches!(found, Err(DriveError::RecipientNotFound)), "{found:?}");
}

#[tokio::test]
async fn lookup_and_session_in_a_missing_drive_fail_as_not_provisioned() {
    let server = start_server_with_user().await;
    mock_get(&server, ITEM_PATH, error_response(404, "itemNotFound"), 1).await;
    mock_get(&server, DRIVE_PATH, error_response(404, "ResourceNotFound"), 2).await;
    let create_path = format!("{ITEM_PATH}:/createUploadSession");
    mock_post(&server, &create_path, error_response(404, "itemNotFound"), 1).await;
    let graph_drive = drive(&server.uri());

    let found = look_up_file_size(&graph_drive).await;
    assert!(matches!(found, Err(DriveError::DriveNotProvisioned)), "{found:?}");

    let dest = destination("", "a.pdf");
    let session = graph_drive.create_session(&dest, 5, ConflictPolicy::Replace).await;
    assert!(matches!(session, Err(DriveError::DriveNotProvisioned)), "{session:?}");
}

#[tokio::test]
async fn lookup_of_a_missing_item_checks_the_drive_only_once() {
    let server = start_server_with_user().await;
    mock_get(&server, ITEM_PATH, error_response(404, "itemNotFound"), 2).await;
    mock_get(&server, DRIVE_PATH, json_response(200, json!({"id": "d"})), 1).await;
    let drive = drive(&server.uri());

    assert_eq!(look_up_file_size(&drive).await.unwrap(), None);
    assert_eq!(look_up_file_size(&drive).await.unwrap(), None);
}

/// Path of the root folder of the drive.
const ROOT_PATH: &str = "/v1.0/users/u-1/drive/root:";

#[tokio::test]
async fn file_in_place_of_a_folder_is_detected() {
    let file = json!({"id": "f", "name": "b", "size": 5, "file": {}});
    let folder = json!({"id": "f", "name": "b", "size": 5, "folder": {"childCount": 0}});
    for (item, expected) in [(file, true), (folder, false)] {
        let server = start_server_with_user().await;
        mock_get(&server, &format!("{ROOT_PATH}/a/b/c"), error_response(404, "itemNotFound"), 1)
            .await;
        mock_get(&server, &format!("{ROOT_PATH}/a/b"), json_response(200, item), 1).await;
        mock_get(&server, DRIVE_PATH, json_response(200, json!({"id": "d"})), 1).await;
        let dest = destination("a/b/c", "x.pdf");
        assert_eq!(drive(&server.uri()).has_file_in_path(&dest).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn path_without_any_existing_folder_contains_no_file() {
    let server = start_server_with_user().await;
    mock_get(&server, &format!("{ROOT_PATH}/a"), error_response(404, "itemNotFound"), 1).await;
    mock_get(&server, DRIVE_PATH, json_response(200, json!({"id": "d"})), 1).await;
    let dest = destination("a", "x.pdf");
    assert!(!drive(&server.uri()).has_file_in_path(&dest).await.unwrap());
}

/// HTML page that a proxy sends instead of Graph's response.
fn html_page() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string("<html></html>")
}

#[tokio::test]
async fn html_page_instead_of_a_user_or_drive_is_retryable() {
    let server = MockServer::start().await;
    mock_post(&server, TOKEN_PATH, token_response("t"), 1).await;
    mock_get(&server, USER_PATH, html_page(), 1).await;
    let found = look_up_file_size(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::NoEffect { .. })), "{found:?}");

    let server = start_server_with_user().await;
    mock_get(&server, ITEM_PATH, error_response(404, "itemNotFound"), 1).await;
    mock_get(&server, DRIVE_PATH, html_page(), 1).await;
    let found = look_up_file_size(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::NoEffect { .. })), "{found:?}");
}

#[tokio::test]
async fn folder_with_the_documents_name_is_a_conflict() {
    let server = start_server_with_user().await;
    let folder = json!({"id": "f", "size": 5, "folder": {"childCount": 0}});
    mock_get(&server, ITEM_PATH, json_response(200, folder), 1).await;
    let found = look_up_file_size(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::Conflict)), "{found:?}");
}

#[tokio::test]
async fn redirects_are_not_followed_and_errors_contain_no_address() {
    let server = start_server_with_user().await;
    let redirect_target = MockServer::start().await;
    let location = redirect_target.uri();
    let redirect = ResponseTemplate::new(302).insert_header("location", location.as_str());
    mock_get(&server, ITEM_PATH, redirect, 1).await;
    let graph_drive = drive(&server.uri());
    let found = look_up_file_size(&graph_drive).await;
    assert!(matches!(found, Err(DriveError::Refused { .. })), "{found:?}");
    assert!(redirect_target.received_requests().await.unwrap().is_empty());

    let unreachable = drive("http://127.0.0.1:1/ada@court.example");
    let error = look_up_file_size(&unreachable).await.unwrap_err();
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
    let found = look_up_file_size(&drive(&server.uri())).await;
    assert!(matches!(found, Err(DriveError::Locked)), "{found:?}");
}
