//! Mock of the downloads API, with JSON written by hand from the contract.

use serde_json::{Value, json};
use wiremock::matchers::{basic_auth, header, method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use super::{PASSWORD, STAGE, USERNAME};

/// Matches a request to a path of the downloads API by the service account.
pub(crate) fn download_request(verb: &str, suffix: &str) -> MockBuilder {
    Mock::given(method(verb))
        .and(path(format!("{STAGE}/v1/download/{suffix}")))
        .and(basic_auth(USERNAME, PASSWORD))
}

/// Status document of a job; `items` are number, state and size of each document.
pub(crate) fn job_status(id: &str, status: &str, items: &[(u64, &str, u64)]) -> Value {
    let has_ended = matches!(status, "completed" | "failed" | "canceled" | "expired");
    let progress = if status == "completed" { 100 } else { 40 };
    let error = json!({ "code": "SOURCE_NOT_FOUND", "message": "The document was not found.",
        "lastAttemptAt": "2026-11-23T09:01:00.000Z" });
    let items: Vec<_> = items
        .iter()
        .map(|(file_id, status, size)| {
            let bytes_done = if *status == "completed" { *size } else { 0 };
            let mut item = json!({ "file_id": file_id, "jobId": format!("{id}_{file_id}"),
                "status": status, "progress": progress, "bytesDone": bytes_done, "bytesTotal": size });
            if *status == "failed" {
                item["error"] = error.clone();
            }
            item
        })
        .collect();
    json!({
        "jobId": id, "status": status, "progress": progress, "etaSeconds": null, "attempts": 1,
        "timestamps": {
            "queuedAt": "2026-11-23T09:00:00.000Z", "startedAt": "2026-11-23T09:00:01.000Z",
            "updatedAt": "2026-11-23T09:01:00.000Z",
            "completedAt": has_ended.then_some("2026-11-23T09:01:00.000Z"),
        },
        "nextPollInMs": (!has_ended).then_some(100),
        "url": (status == "completed").then_some("http://127.0.0.1:1/?X-Amz-Signature=open-sesame-3"),
        "result": (status == "completed").then_some(json!({
            "url": "http://127.0.0.1:1/?X-Amz-Signature=open-sesame-3",
            "expiresAt": "2026-11-23T09:16:00.000Z" })),
        "error": (status == "failed").then_some(error),
        "items": items,
    })
}

/// A successful response with a JSON document.
pub(crate) fn json_response(document: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(document)
}

/// Accepts a request for documents and returns the job `id`.
pub(crate) async fn accept_job(server: &MockServer, id: &str) {
    let accepted = json!({ "jobId": id, "status": "queued", "totalFileIds": 1,
        "nextPollInMs": 100, "expiresAt": "2026-11-24T09:00:00.000Z" });
    download_request("POST", "initiate")
        .respond_with(ResponseTemplate::new(202).set_body_json(accepted))
        .mount(server)
        .await;
}

/// Serves the status of a job: each of `documents` once, then the last one forever.
pub(crate) async fn serve_job_status(server: &MockServer, id: &str, documents: &[Value]) {
    for (at, document) in documents.iter().enumerate() {
        let mock =
            download_request("GET", &format!("status/{id}")).respond_with(json_response(document));
        let mock = if at + 1 == documents.len() { mock } else { mock.up_to_n_times(1) };
        mock.mount(server).await;
    }
}

/// Serves the presigned URL of a document as JSON.
pub(crate) async fn serve_presigned_url(server: &MockServer, id: &str, url: &str) {
    download_request("GET", id)
        .and(header("accept", "application/json"))
        .respond_with(json_response(
            &json!({ "url": url, "expiresAt": "2026-11-23T09:16:00.000Z" }),
        ))
        .mount(server)
        .await;
}
