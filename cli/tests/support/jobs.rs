//! Mock of the downloads API, with JSON written by hand from the contract.

use serde_json::{Value, json};
use wiremock::matchers::{basic_auth, header, method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use super::{PASSWORD, STAGE, USERNAME};

/// Matches a call of the downloads API by the service account.
pub(crate) fn call(verb: &str, suffix: &str) -> MockBuilder {
    Mock::given(method(verb))
        .and(path(format!("{STAGE}/v1/download/{suffix}")))
        .and(basic_auth(USERNAME, PASSWORD))
}

/// Status document of a job; `items` are number, state and size of each document.
pub(crate) fn job(id: &str, status: &str, items: &[(u64, &str, u64)]) -> Value {
    let ended = matches!(status, "completed" | "failed" | "canceled" | "expired");
    let progress = if status == "completed" { 100 } else { 40 };
    let error = json!({ "code": "SOURCE_NOT_FOUND", "message": "The document was not found.",
        "lastAttemptAt": "2026-11-23T09:01:00.000Z" });
    let items: Vec<_> = items
        .iter()
        .map(|(file, status, size)| {
            let done = if *status == "completed" { *size } else { 0 };
            let mut item = json!({ "file_id": file, "jobId": format!("{id}_{file}"),
                "status": status, "progress": progress, "bytesDone": done, "bytesTotal": size });
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
            "completedAt": ended.then_some("2026-11-23T09:01:00.000Z"),
        },
        "nextPollInMs": (!ended).then_some(100),
        "url": (status == "completed").then_some("http://127.0.0.1:1/?X-Amz-Signature=open-sesame-3"),
        "result": (status == "completed").then_some(json!({
            "url": "http://127.0.0.1:1/?X-Amz-Signature=open-sesame-3",
            "expiresAt": "2026-11-23T09:16:00.000Z" })),
        "error": (status == "failed").then_some(error),
        "items": items,
    })
}

pub(crate) fn ok(document: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(document)
}

/// Accepts a request for documents and returns the job `id`.
pub(crate) async fn accepts(server: &MockServer, id: &str) {
    let accepted = json!({ "jobId": id, "status": "queued", "totalFileIds": 1,
        "nextPollInMs": 100, "expiresAt": "2026-11-24T09:00:00.000Z" });
    call("POST", "initiate")
        .respond_with(ResponseTemplate::new(202).set_body_json(accepted))
        .mount(server)
        .await;
}

/// Serves the status of a job: each of `answers` once, then the last one forever.
pub(crate) async fn stands(server: &MockServer, id: &str, answers: &[Value]) {
    for (at, answer) in answers.iter().enumerate() {
        let mock = call("GET", &format!("status/{id}")).respond_with(ok(answer));
        let mock = if at + 1 == answers.len() { mock } else { mock.up_to_n_times(1) };
        mock.mount(server).await;
    }
}

/// Serves the presigned URL of a document as JSON.
pub(crate) async fn lies(server: &MockServer, id: &str, url: &str) {
    call("GET", id)
        .and(header("accept", "application/json"))
        .respond_with(ok(&json!({ "url": url, "expiresAt": "2026-11-23T09:16:00.000Z" })))
        .mount(server)
        .await;
}
