//! Jobs of the downloads API, and the documents for them.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{Answer, Api, Document, Sandbox, eventually, wait::SHORT_TIMEOUT};

/// Path of the request for a job.
const INITIATE: &str = "/v1/download/initiate";

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
    ) -> Answer {
        eventually("the request is not throttled", SHORT_TIMEOUT, async || {
            let answer = self.request(method.clone(), path, body).await;
            (answer.status != StatusCode::TOO_MANY_REQUESTS).then_some(answer)
        })
        .await
    }

    /// Sends a POST request with a JSON body, if any, and repeats it while the gateway
    /// throttles it.
    pub async fn post_json(&self, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string);
        self.request_unthrottled(Method::POST, path, body.as_deref()).await
    }

    /// Requests a job, which must be accepted, and returns its id.
    pub async fn create_job(&self, body: &Value) -> String {
        let answer = self.post_json(INITIATE, Some(body)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        answer.json()["jobId"].as_str().unwrap().to_owned()
    }

    /// Returns the status document of an existing job.
    pub async fn job_status(&self, job_id: &str) -> Value {
        let answer = self.get(&format!("/v1/download/status/{job_id}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
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
    /// Creates this test's document in the document source and adds it to the index of
    /// documents. Returns its number there. `parameters` are those of
    /// [`Sandbox::document_with`].
    pub async fn indexed_document(
        &self,
        size: u64,
        parameters: &[(&str, &str)],
    ) -> (u64, Document) {
        let (file_id, document) = (random_file_id(), self.document_with(size, parameters).await);
        self.cloud.index_document(file_id, &document.guid).await;
        (file_id, document)
    }

    /// Returns the sandbox of another document with its own file name, which ends with
    /// `suffix`.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let file_name = format!("{}-{suffix}.pdf", self.tag);
        Self { file_name, ..self.another_document() }
    }
}
