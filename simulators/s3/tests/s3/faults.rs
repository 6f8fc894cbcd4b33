//! Tests of fault rules for uploads.

use reqwest::Method;
use serde_json::json;

use crate::support::{Store, Upload, assert_refused, element};

/// Creates an upload with one part.
async fn with_one_part(store: &Store) -> Upload<'_> {
    let mut upload = store.create("FULL_OBJECT").await;
    upload.put_part(1, b"hello".to_vec()).await;
    upload
}

#[tokio::test]
async fn every_upload_operation_can_fail() {
    let store = Store::new().await;
    store.put_object("source", 10).await;
    let upload = with_one_part(&store).await;
    for (operation, request) in [
        ("putObject", store.request(Method::PUT, "/x").body("x")),
        ("createMultipartUpload", store.request(Method::POST, "/x?uploads")),
        ("uploadPart", upload.request(Method::PUT, "&partNumber=2").body("x")),
        ("uploadPartCopy", upload.copy_request(2, "source", None)),
        ("listMultipartUploads", store.request(Method::GET, "?uploads")),
        ("listParts", upload.request(Method::GET, "")),
        ("completeMultipartUpload", upload.completion()),
        ("abortMultipartUpload", upload.request(Method::DELETE, "")),
    ] {
        store.post_admin("/faults", &json!({ "operation": operation, "status": 503 })).await;
        assert_refused(request, 503, "SlowDown").await;
    }
    assert_eq!(store.admin(Method::GET, "/uploads").await.as_array().unwrap().len(), 1);
    assert_eq!(store.request(Method::HEAD, "/x").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn response_can_be_lost_before_or_after_the_effect() {
    let store = Store::new().await;
    let upload = with_one_part(&store).await;
    let rule = |fraction| {
        json!({
            "operation": "completeMultipartUpload",
            "dropResponse": true,
            "storeFraction": fraction,
        })
    };
    store.post_admin("/faults", &rule(0.0)).await;
    assert!(upload.completion().send().await.is_err());
    assert_eq!(store.request(Method::HEAD, "/zip").send().await.unwrap().status(), 404);

    store.post_admin("/faults", &rule(1.0)).await;
    assert!(upload.completion().send().await.is_err());
    assert_eq!(store.read("zip").await, b"hello");
    assert_refused(upload.completion(), 404, "NoSuchUpload").await;
}

#[tokio::test]
async fn copy_and_completion_can_fail_with_status_200() {
    let store = Store::new().await;
    store.put_object("source", 10).await;
    let upload = with_one_part(&store).await;
    let rule = |operation: &str, fraction: f64, spaces: usize| {
        json!({
            "operation": operation,
            "okWithError": "InternalError",
            "spaces": spaces,
            "storeFraction": fraction,
        })
    };
    store.post_admin("/faults", &rule("uploadPartCopy", 0.0, 0)).await;
    assert_refused(upload.copy_request(2, "source", None), 200, "InternalError").await;
    let parts = upload.request(Method::GET, "").send().await.unwrap().text().await.unwrap();
    assert_eq!(parts.matches("<Part>").count(), 1);

    let without_fraction = json!({ "operation": "uploadPartCopy", "okWithError": "SlowDown" });
    store.post_admin("/faults", &without_fraction).await;
    assert_refused(upload.copy_request(2, "missing", None), 200, "SlowDown").await;

    store.post_admin("/faults", &rule("completeMultipartUpload", 1.0, 3)).await;
    let response = upload.completion().send().await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.text().await.unwrap();
    assert!(body.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n   <Error>"), "{body}");
    assert_eq!(element(&body, "Code").as_deref(), Some("InternalError"));
    assert_eq!(store.read("zip").await, b"hello");

    // An error of the request itself is not hidden.
    store.post_admin("/faults", &rule("completeMultipartUpload", 1.0, 0)).await;
    assert_refused(upload.completion(), 404, "NoSuchUpload").await;
}

#[tokio::test]
async fn invalid_rule_is_refused() {
    let store = Store::new().await;
    let url = format!("{}/faults", store.s3.admin_url());
    for rule in [json!({ "operation": "copyObject" }), json!({ "operation": "putObject", "x": 1 })]
    {
        assert_eq!(store.http.post(&url).json(&rule).send().await.unwrap().status(), 400);
    }
}
