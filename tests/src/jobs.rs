//! Helpers for jobs of the downloads API and for the documents that the jobs download. A job
//! downloads one document or a batch of documents. A request names documents by their numbers.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{Api, ApiResponse, Document, Sandbox, eventually, wait::SHORT_TIMEOUT};

/// Path of the call that creates a job.
const INITIATE_PATH: &str = "/v1/download/initiate";

/// Returns a random document number, which no other test uses.
#[must_use]
pub fn random_file_id() -> u64 {
    fastrand::u64(1_000_000..100_000_000)
}

impl Api {
    /// Sends a request, and repeats it while the gateway throttles it. The gateway limits all
    /// callers together.
    pub async fn request_unthrottled(
        &self,
        method: Method,
        path: &str,
        body: Option<&str>,
    ) -> ApiResponse {
        eventually("the request is not throttled", SHORT_TIMEOUT, async || {
            let response = self.request(method.clone(), path, body).await;
            (response.status != StatusCode::TOO_MANY_REQUESTS).then_some(response)
        })
        .await
    }

    /// Sends a POST request with a JSON body, if any, and repeats it while the gateway
    /// throttles it.
    pub async fn post_json(&self, path: &str, body: Option<&Value>) -> ApiResponse {
        let body = body.map(Value::to_string);
        self.request_unthrottled(Method::POST, path, body.as_deref()).await
    }

    /// Creates a job and returns its id. The request must be accepted.
    pub async fn create_job(&self, body: &Value) -> String {
        let response = self.post_json(INITIATE_PATH, Some(body)).await;
        assert_eq!(response.status, StatusCode::ACCEPTED, "{}", response.text);
        response.json()["jobId"].as_str().unwrap().to_owned()
    }

    /// Retries a job that has ended, and returns the response. Waits until the earlier run of the
    /// job is cleaned up; until then the API refuses the retry with the code `NOT_SETTLED`.
    pub async fn retry_job(&self, job_id: &str) -> ApiResponse {
        let path = format!("/v1/download/retry/{job_id}");
        let retried = eventually("the earlier run is cleaned up", SHORT_TIMEOUT, async || {
            let response = self.post_json(&path, None).await;
            (response.json()["code"] != "NOT_SETTLED").then_some(response)
        })
        .await;
        assert_eq!(retried.status, StatusCode::ACCEPTED, "{}", retried.text);
        retried
    }

    /// Returns the status of an existing job as JSON.
    pub async fn job_status(&self, job_id: &str) -> Value {
        let response = self.get(&format!("/v1/download/status/{job_id}")).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.text);
        response.json()
    }

    /// Waits until the status of a job satisfies the condition, and returns it.
    pub async fn wait_for_job(&self, job_id: &str, is_expected: impl Fn(&Value) -> bool) -> Value {
        eventually("the job has the expected status", SHORT_TIMEOUT, async || {
            Some(self.job_status(job_id).await).filter(|status| is_expected(status))
        })
        .await
    }

    /// Waits for the end of a job and returns its status.
    pub async fn wait_for_job_end(&self, job_id: &str) -> Value {
        self.wait_for_job(job_id, |status| status["nextPollInMs"].is_null()).await
    }
}

impl Sandbox {
    /// Creates this test's document in the document source and adds it to the
    /// registry. Returns the document and its number. See [`Sandbox::document_with`]
    /// for `parameters`.
    pub async fn indexed_document(
        &self,
        size: u64,
        parameters: &[(&str, &str)],
    ) -> (u64, Document) {
        let file_id = random_file_id();
        let document = self.document_with(size, parameters).await;
        self.cloud.index_document(file_id, &document.guid).await;
        (file_id, document)
    }

    /// Returns the same sandbox with a new document, whose file name ends with `suffix`.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let file_name = format!("{}-{suffix}.pdf", self.tag);
        Self { file_name, ..self.another_document() }
    }
}
