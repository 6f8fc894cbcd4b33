//! Tests of the library's `Client` against the contract of the older API, field by field: the
//! requests that it sends, and the responses and errors that it reads.

mod support;

use std::time::Duration;

use docferry_cli::{ClientError, NewTransfer};
use serde_json::json;
use support::{
    STAGE, client, client_for_url, problem_response, transfer_status, transfer_status_request,
    unreachable_address, upload_request,
};
use wiremock::matchers::{body_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Returns a transfer into this folder of the recipient's drive.
fn new_transfer(folder: Option<&str>) -> NewTransfer {
    NewTransfer {
        obj_guid: "q83vASNFZ4k=".into(),
        email: "judge@example.test".into(),
        file_path: folder.map(str::to_owned),
    }
}

#[tokio::test]
async fn upload_sends_the_fields_of_the_contract() {
    let server = MockServer::start().await;
    upload_request()
        .and(body_json(json!({
            "objGuid": "q83vASNFZ4k=",
            "email": "judge@example.test",
            "filePath": "Court Lists/Courtroom \"201\"",
        })))
        .respond_with(
            ResponseTemplate::new(202)
                .set_body_json(json!({"objGuid": "q83vASNFZ4k=", "transferId": "0af1"})),
        )
        .mount(&server)
        .await;
    let transfer = new_transfer(Some("Court Lists/Courtroom \"201\""));
    let accepted = client(&server).upload(&transfer).await.unwrap();
    assert_eq!((&*accepted.obj_guid, &*accepted.transfer_id), ("q83vASNFZ4k=", "0af1"));
}

#[tokio::test]
async fn upload_without_folder_sends_null() {
    let server = MockServer::start().await;
    upload_request()
        .and(body_json(json!({
            "objGuid": "q83vASNFZ4k=", "email": "judge@example.test", "filePath": null,
        })))
        .respond_with(
            ResponseTemplate::new(202).set_body_json(json!({"objGuid": "x", "transferId": "t"})),
        )
        .mount(&server)
        .await;
    client(&server).upload(&new_transfer(None)).await.unwrap();
}

#[tokio::test]
async fn terminate_sends_ids_and_accepts_the_contract_response() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(format!("{STAGE}/document/terminate")))
        .and(body_json(json!({ "transferIds": ["t1", "t2"] })))
        .respond_with(ResponseTemplate::new(202).set_body_json(json!({ "response": "success" })))
        .expect(1)
        .mount(&server)
        .await;
    client(&server).terminate(&["t1".to_owned(), "t2".to_owned()]).await.unwrap();
}

#[tokio::test]
async fn status_reads_the_fields_of_the_contract() {
    let server = MockServer::start().await;
    transfer_status_request("t1")
        .respond_with(ResponseTemplate::new(200).set_body_json(transfer_status(100)))
        .mount(&server)
        .await;

    let status = client(&server).status("t1").await.unwrap();

    assert_eq!(status.percent_transfered, 100);
    assert_eq!(status.file_size, 9_000_000);
    assert_eq!(status.file_name.as_deref(), Some("Ōtāhuhu #3.pdf"));
    assert_eq!(status.file_path.as_deref(), Some("Court Lists/2026-11-23"));
    assert_eq!(status.mime.as_deref(), Some("application/pdf"));
    assert_eq!(status.end_delivery_dtm.as_deref(), Some("2026-11-23T09:01:00+00:00"));
    // The serialized status equals the response, so no field is lost, renamed or added.
    assert_eq!(serde_json::to_value(&status).unwrap(), transfer_status(100));
}

#[tokio::test]
async fn corrected_spelling_of_percent_transfered_is_refused() {
    let server = MockServer::start().await;
    let mut corrected = transfer_status(50);
    corrected["percentTransferred"] =
        corrected.as_object_mut().unwrap().remove("percentTransfered").unwrap();
    transfer_status_request("t1")
        .respond_with(ResponseTemplate::new(200).set_body_json(corrected))
        .mount(&server)
        .await;

    let error = client(&server).status("t1").await.unwrap_err();

    assert!(matches!(error, ClientError::InvalidResponse { .. }), "{error}");
}

#[tokio::test]
async fn http_statuses_map_to_client_errors() {
    let server = MockServer::start().await;
    for http_status in [400, 401, 403, 404, 413, 422, 429, 500, 502, 503, 504, 302] {
        let id = format!("s{http_status}");
        let response = ResponseTemplate::new(http_status);
        transfer_status_request(&id).respond_with(response).mount(&server).await;

        let error = client(&server).status(&id).await.unwrap_err();
        let is_expected = match http_status {
            401 | 403 => matches!(error, ClientError::Unauthorized { .. }),
            404 => matches!(error, ClientError::NotFound(_)),
            429 | 500.. => matches!(error, ClientError::Unavailable { .. }) && error.is_transient(),
            302 => matches!(error, ClientError::InvalidResponse { .. }),
            _ => matches!(error, ClientError::Rejected { .. }) && !error.is_transient(),
        };
        assert!(is_expected, "{http_status}: {error:?}");
    }
}

#[tokio::test]
async fn problem_document_and_retry_after_are_returned() {
    let server = MockServer::start().await;
    let body = json!({"type": "about:blank", "title": "Busy", "status": 503,
        "detail": "The object store does not answer.", "code": "SOURCE_UNAVAILABLE"});
    transfer_status_request("t1")
        .respond_with(problem_response(503, &body).insert_header("retry-after", "7"))
        .mount(&server)
        .await;

    let error = client(&server).status("t1").await.unwrap_err();

    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(error.problem().unwrap().code.as_deref(), Some("SOURCE_UNAVAILABLE"));
    assert!(error.to_string().contains("Busy: The object store does not answer."), "{error}");

    let body = json!({"title": "Not yet", "status": 409, "code": "NOT_SETTLED"});
    transfer_status_request("t2")
        .respond_with(problem_response(409, &body).insert_header("retry-after", "5"))
        .mount(&server)
        .await;

    let error = client(&server).status("t2").await.unwrap_err();

    assert!(error.is_not_cleaned_up(), "{error:?}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(5)));
}

#[tokio::test]
async fn web_page_with_200_is_an_invalid_response() {
    let server = MockServer::start().await;
    transfer_status_request("t1")
        .respond_with(ResponseTemplate::new(200).set_body_raw("<html>hello</html>", "text/html"))
        .mount(&server)
        .await;

    let error = client(&server).status("t1").await.unwrap_err();

    assert!(matches!(error, ClientError::InvalidResponse { status: 200, .. }), "{error:?}");
}

#[tokio::test]
async fn connection_error_shows_no_address() {
    let address = unreachable_address();
    let error = client_for_url(&address).status("t1").await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }) && error.had_no_effect());
    assert!(!format!("{error:?} {error}").contains(&address));
}
