//! Tests of the transfers API with invalid, unauthorized and repeated requests.

use std::collections::BTreeSet;

use docferry_system_tests::{ApiResponse, SHORT_TIMEOUT, Sandbox, eventually};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Fails unless the response is an `application/problem+json` document with this status.
fn assert_problem(response: &ApiResponse, status: StatusCode) {
    assert_eq!(response.status, status, "{}", response.text);
    assert_eq!(response.media_type(), "application/problem+json");
    let problem = response.json();
    assert_eq!(problem["status"], status.as_u16());
    for field in ["title", "detail", "code", "requestId"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
}

#[tokio::test]
async fn calls_without_valid_credentials_are_refused() {
    let sandbox = Sandbox::new().await;
    sandbox.document(10).await;
    let user = sandbox.stack.scv.username.as_str();
    let body = json!({ "objGuid": sandbox.guid, "email": sandbox.email }).to_string();
    for credentials in [None, Some((user, "wrong")), Some(("unknown", "wrong")), Some((user, ""))] {
        let api = sandbox.api.with_credentials(credentials);
        for (method, path, body) in [
            (Method::POST, "/document/upload", Some(body.as_str())),
            (Method::GET, "/document/status/00000000000000000000000000000000", None),
            (Method::GET, "/ping", None),
        ] {
            let response = api.request(method, path, body).await;
            assert_problem(&response, StatusCode::UNAUTHORIZED);
            // API Gateway's own response has the same headers as those of the functions.
            for name in ["www-authenticate", "x-request-id", "strict-transport-security"] {
                assert!(response.headers.contains_key(name), "{name}");
            }
            assert_eq!(response.headers["x-content-type-options"], "nosniff");
        }
    }
    assert_nothing_was_created(&sandbox).await;
}

#[tokio::test]
async fn invalid_upload_request_is_refused_and_creates_no_transfer() {
    let sandbox = Sandbox::new().await;
    sandbox.document(10).await;
    let (guid, email) = (sandbox.guid.as_str(), sandbox.email.as_str());
    let with_folder = |path: &str| json!({ "objGuid": guid, "email": email, "filePath": path });
    for (body, pointer) in [
        (json!([]), ""),
        (json!({ "email": email }), "/objGuid"),
        (json!({ "objGuid": 5, "email": email }), "/objGuid"),
        (json!({ "objGuid": "no base64!", "email": email }), "/objGuid"),
        (json!({ "objGuid": guid }), "/email"),
        (json!({ "objGuid": guid, "email": sandbox.tag }), "/email"),
        (json!({ "objGuid": guid, "email": email, "filePath": 5 }), "/filePath"),
        (with_folder("a|b"), "/filePath"),
        (with_folder("CON"), "/filePath"),
        (with_folder("forms/x"), "/filePath"),
        (with_folder("ends with a period."), "/filePath"),
        (with_folder(&"long/".repeat(100)), "/filePath"),
    ] {
        let response = sandbox.api.post(&body).await;
        assert_problem(&response, StatusCode::BAD_REQUEST);
        let error = &response.json()["errors"][0];
        assert_eq!(error["pointer"], pointer, "{body}");
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
        assert!(!response.text.contains(&sandbox.tag), "the response must not repeat the input");
    }

    let truncated = r#"{"objGuid": "#;
    let response = sandbox.api.request(Method::POST, "/document/upload", Some(truncated)).await;
    assert_problem(&response, StatusCode::BAD_REQUEST);
    assert_nothing_was_created(&sandbox).await;
}

/// Fails if an item belongs to this sandbox, or if an execution has no record.
async fn assert_nothing_was_created(sandbox: &Sandbox) {
    let executions = sandbox.cloud.executions().await;
    let table = sandbox.cloud.items_as_text().await;
    let own_items: Vec<_> = table
        .iter()
        .filter(|item| item.contains(&sandbox.tag) || item.contains(&sandbox.guid))
        .collect();
    assert!(own_items.is_empty(), "{own_items:?}");
    for execution in executions {
        let id = execution.split('-').next().unwrap();
        let has_record = table.iter().any(|item| item.contains(id));
        assert!(has_record, "execution {execution} has no record");
    }
}

#[tokio::test]
async fn unknown_ids_and_paths_are_not_found() {
    let api = Sandbox::new().await.api;
    for id in ["00000000000000000000000000000000", "nonsense", "%2e%2e", "'"] {
        let response = api.get(&format!("/document/status/{id}")).await;
        assert_problem(&response, StatusCode::NOT_FOUND);
    }

    for (method, path) in [
        (Method::GET, "/document/upload"),
        (Method::DELETE, "/document/status/00000000000000000000000000000000"),
        (Method::GET, "/document/elsewhere"),
        (Method::GET, "/nowhere"),
        (Method::POST, "/health"),
    ] {
        let response = api.request(method, path, None).await;
        assert_problem(&response, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn each_request_without_key_creates_its_own_transfer() {
    let sandbox = Sandbox::new().await;
    sandbox.document(10).await;
    let first = sandbox.send().await;
    let second = sandbox.send().await;
    assert_ne!(first, second);
    for id in [first, second] {
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        let status = sandbox.wait_for_end(SHORT_TIMEOUT, &id).await;
        assert!(!status.error, "{status:?}");
    }
}

#[tokio::test]
async fn equal_uploads_with_one_key_create_one_transfer() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(10).await;
    let api = sandbox.api.with_key(&format!("upload-{}", sandbox.tag));
    let body =
        json!({ "objGuid": document.guid, "email": sandbox.email, "filePath": sandbox.folder });
    let requests = (0..10).map(async |_| {
        eventually("the upload is accepted", SHORT_TIMEOUT, async || {
            let response = api.post(&body).await;
            // Repeats the request after a transient failure.
            let is_accepted = response.status == StatusCode::ACCEPTED;
            let is_transient = [409, 429, 503].contains(&response.status.as_u16());
            assert!(is_accepted || is_transient, "{} {}", response.status, response.text);
            is_accepted.then_some(response.text)
        })
        .await
    });
    let distinct_bodies: BTreeSet<_> =
        futures::future::join_all(requests).await.into_iter().collect();
    assert_eq!(distinct_bodies.len(), 1, "{distinct_bodies:?}");

    let different_body =
        json!({ "objGuid": document.guid, "email": sandbox.email, "filePath": null });
    let refused = api.post_json("/document/upload", Some(&different_body)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);

    let accepted: Value = serde_json::from_str(distinct_bodies.first().unwrap()).unwrap();
    let id = accepted["transferId"].as_str().unwrap();
    let status = sandbox.wait_for_end(SHORT_TIMEOUT, id).await;
    assert!(!status.error, "{status:?}");

    // Other tests use the same service account, so the transfer may be on a later page.
    let mut page_token_parameter = String::new();
    let is_listed = loop {
        let path = format!("/v1/download/history?pageSize=100{page_token_parameter}");
        let page = sandbox.api.get(&path).await.json();
        if page["items"].as_array().unwrap().iter().any(|job| job["jobId"] == id) {
            break true;
        }
        let Some(next) = page["nextPageToken"].as_str() else { break false };
        page_token_parameter = format!("&pageToken={next}");
    };
    assert!(is_listed, "the history lists the transfer");
}

#[tokio::test]
async fn health_needs_no_credentials() {
    let api = Sandbox::new().await.api.with_credentials(None);
    let response = api.get("/health").await;
    assert_eq!(response.status, StatusCode::OK, "{}", response.text);
    let expected = json!({ "status": "healthy", "checks": { "state": "ok", "storage": "ok" } });
    assert_eq!(response.json(), expected);
}

#[tokio::test]
async fn responses_have_security_headers_and_the_request_id() {
    let sandbox = Sandbox::new().await;
    let response = sandbox.api.get("/document/status/nonsense").await;
    let header = |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("x-content-type-options"), Some("nosniff"));
    assert!(header("strict-transport-security").is_some());
    assert_eq!(header("x-request-id"), response.json()["requestId"].as_str());
}
