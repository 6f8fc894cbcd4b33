//! Mock of the service's downloads API (`/v1/download/…`), for tests of the commands that use
//! jobs.
//!
//! A job makes documents available for download. Each document has a file id, which is its
//! number in the request, and its own job id, such as `j1_10001`. The JSON is written by hand
//! from the contract (`openapi.yaml`).

use serde_json::{Value, json};
use wiremock::matchers::{basic_auth, header, method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use super::{PASSWORD, STAGE, USERNAME, serve_in_sequence};

/// File id of a job's first document.
pub(crate) const FIRST_FILE: u64 = 10_001;
/// File id of a job's second document.
pub(crate) const SECOND_FILE: u64 = 10_002;
/// Presigned URL in the status of a completed job. No client may follow it, because the
/// documents have presigned URLs of their own.
const JOB_URL: &str = "http://127.0.0.1:1/?X-Amz-Signature=open-sesame-3";

/// A document in the status of a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobDocument {
    pub(crate) file_id: u64,
    /// State as the API names it, such as `running`.
    pub(crate) state: &'static str,
    /// Size in bytes.
    pub(crate) size: u64,
}

impl JobDocument {
    pub(crate) const fn queued(file_id: u64, size: u64) -> Self {
        Self { file_id, state: "queued", size }
    }

    pub(crate) const fn running(file_id: u64, size: u64) -> Self {
        Self { file_id, state: "running", size }
    }

    pub(crate) const fn completed(file_id: u64, size: u64) -> Self {
        Self { file_id, state: "completed", size }
    }

    pub(crate) const fn failed(file_id: u64, size: u64) -> Self {
        Self { file_id, state: "failed", size }
    }

    pub(crate) const fn canceled(file_id: u64, size: u64) -> Self {
        Self { file_id, state: "canceled", size }
    }

    /// Returns the entry of this document in the `items` of a job's status.
    fn to_item(self, job_id: &str, progress: u8) -> Value {
        let Self { file_id, state, size } = self;
        let bytes_done = if state == "completed" { size } else { 0 };
        let mut item = json!({
            "file_id": file_id,
            "jobId": format!("{job_id}_{file_id}"),
            "status": state,
            "progress": progress,
            "bytesDone": bytes_done,
            "bytesTotal": size,
        });
        if state == "failed" {
            item["error"] = source_not_found();
        }
        item
    }
}

/// Returns the error of a job or document whose source does not exist.
fn source_not_found() -> Value {
    json!({
        "code": "SOURCE_NOT_FOUND",
        "message": "The document was not found.",
        "lastAttemptAt": "2026-11-23T09:01:00.000Z",
    })
}

/// Matches a request to a path of the downloads API by the service account.
pub(crate) fn download_request(http_method: &str, path_suffix: &str) -> MockBuilder {
    Mock::given(method(http_method))
        .and(path(format!("{STAGE}/v1/download/{path_suffix}")))
        .and(basic_auth(USERNAME, PASSWORD))
}

/// Returns the status document of a job in this state with these documents.
pub(crate) fn job_status(job_id: &str, state: &str, documents: &[JobDocument]) -> Value {
    let has_ended = matches!(state, "completed" | "failed" | "canceled" | "expired");
    let is_completed = state == "completed";
    let progress = if is_completed { 100 } else { 40 };
    let items: Vec<_> =
        documents.iter().map(|document| document.to_item(job_id, progress)).collect();
    json!({
        "jobId": job_id, "status": state, "progress": progress, "etaSeconds": null, "attempts": 1,
        "timestamps": {
            "queuedAt": "2026-11-23T09:00:00.000Z", "startedAt": "2026-11-23T09:00:01.000Z",
            "updatedAt": "2026-11-23T09:01:00.000Z",
            "completedAt": has_ended.then_some("2026-11-23T09:01:00.000Z"),
        },
        "nextPollInMs": (!has_ended).then_some(100),
        "url": is_completed.then_some(JOB_URL),
        "result": is_completed.then_some(json!({
            "url": JOB_URL, "expiresAt": "2026-11-23T09:16:00.000Z" })),
        "error": (state == "failed").then(source_not_found),
        "items": items,
    })
}

/// Returns the status document of a job whose documents are all completed.
pub(crate) fn completed_job_status(job_id: &str, documents: &[JobDocument]) -> Value {
    job_status(job_id, "completed", documents)
}

/// Returns a successful response with a JSON document.
pub(crate) fn json_response(document: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(document)
}

/// Accepts each request for documents with a response that names the job `job_id`.
pub(crate) async fn accept_job(server: &MockServer, job_id: &str) {
    let accepted = json!({ "jobId": job_id, "status": "queued", "totalFileIds": 1,
        "nextPollInMs": 100, "expiresAt": "2026-11-24T09:00:00.000Z" });
    download_request("POST", "initiate")
        .respond_with(ResponseTemplate::new(202).set_body_json(accepted))
        .mount(server)
        .await;
}

/// Serves the status of a job: each of `statuses` once, and the last of them to all further
/// requests.
pub(crate) async fn serve_job_status(server: &MockServer, job_id: &str, statuses: &[Value]) {
    let responses = statuses.iter().map(json_response).collect();
    let status_request = || download_request("GET", &format!("status/{job_id}"));
    serve_in_sequence(server, status_request, responses).await;
}

/// Serves the presigned URL of the document with this job id.
pub(crate) async fn serve_presigned_url(server: &MockServer, document_job_id: &str, url: &str) {
    download_request("GET", document_job_id)
        .and(header("accept", "application/json"))
        .respond_with(presigned_url_response(url))
        .mount(server)
        .await;
}

/// Returns the response of the downloads API with the presigned URL of a document.
pub(crate) fn presigned_url_response(url: &str) -> ResponseTemplate {
    json_response(&json!({ "url": url, "expiresAt": "2026-11-23T09:16:00.000Z" }))
}
