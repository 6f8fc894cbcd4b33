//! Withdrawals at every phase of a transfer, through the deployed system: from the answer on, nothing
//! is issued, and the next sweep removes the copies.

use docferry_domain::failure::FailureCode;
use docferry_system_tests::{
    Api, Identity, MIB, SHORT_TIMEOUT, Sandbox, docferry, eventually, stdout_of_success,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Scopes of a caller who sees all documents.
const SCOPES: &str = "docferry.read docferry.write docferry.documents";

/// A document that is withdrawn, and a caller who may see it before.
struct Case {
    sandbox: Sandbox,
    api: Api,
    file_id: u64,
}

impl Case {
    /// Creates a document of `size` bytes, with additional parameters of the document source.
    async fn new(size: u64, parameters: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::new().await;
        let (file_id, document) = sandbox.indexed_document(size, parameters).await;
        let sandbox = Sandbox { guid: document.guid, ..sandbox };
        let token = Identity::new(&sandbox.stack).token_of(&sandbox.tag, SCOPES).await;
        let api = sandbox.api.without_redirects().with_token(&token);
        Self { sandbox, api, file_id }
    }

    async fn create_job(&self) -> String {
        self.api.create_job(&json!({ "file_id": self.file_id })).await
    }

    /// Waits until the record of a transfer has this phase.
    async fn wait_for_phase(&self, job: &str, phase: &str) {
        eventually("the transfer has the phase", SHORT_TIMEOUT, async || {
            let record = self.sandbox.cloud.record(job).await?;
            (record["phase"].as_s().ok()? == phase).then_some(())
        })
        .await;
    }

    /// Withdraws the document, as an operator does.
    async fn withdraw(&self) {
        let number = self.file_id.to_string();
        let arguments = ["documents", "withdraw", &number, "--stack", "docferry-local"];
        let _text = stdout_of_success(&docferry(&self.sandbox.stack, &arguments).await);
    }

    /// Fails if a request for the document is accepted, or if a response contains the document or a
    /// URL. `job` is a job of the caller for the document.
    async fn assert_nothing_is_issued(&self, job: Option<&str>) {
        let (api, file) = (&self.api, json!({ "file_id": self.file_id }));
        if let Some(job) = job {
            let fetched = api.get(&format!("/v1/download/{job}")).await;
            let refusals = [StatusCode::NOT_FOUND, StatusCode::CONFLICT];
            assert!(refusals.contains(&fetched.status), "{} {}", fetched.status, fetched.text);
            let status = api.job_status(job).await;
            assert_eq!((&status["url"], &status["result"]), (&Value::Null, &Value::Null));
        }
        let refused = api.post_json("/v1/download/initiate", Some(&file)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        let checked = api.post_json("/v1/download/check", Some(&file)).await;
        assert_eq!(checked.json()["available"], false, "{}", checked.text);
        let id = format!("file-{}", self.file_id);
        for path in [format!("/{id}"), format!("/{id}/$content")] {
            let refused = api.get(&format!("/DocumentReference{path}")).await;
            assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text);
        }
        for parameters in [format!("_id={id}"), format!("subject.identifier=S-{}", self.file_id)] {
            let found = api.get(&format!("/DocumentReference?{parameters}")).await;
            assert_eq!(found.json()["total"], 0, "{}", found.text);
        }
    }

    /// Waits for the end of a job, which must report the withdrawal.
    async fn assert_job_fails(&self, job: &str) {
        let status = self.api.wait_for_job_end(job).await;
        assert_eq!(status["status"], "failed", "{status}");
        assert_eq!(status["error"]["code"], FailureCode::DocumentWithdrawn.as_str(), "{status}");
        self.assert_nothing_is_issued(Some(job)).await;
    }

    /// Waits until the mover has copied all pushed objects. Afterwards, the exchange bucket must lose
    /// them, and the delivery bucket must contain no copy.
    async fn assert_arrivals_are_removed(&self, job: &str) {
        let sandbox = &self.sandbox;
        eventually("all pushed objects arrive", SHORT_TIMEOUT, async || {
            let document = sandbox.ords.document(&sandbox.guid).await;
            (document.moves == document.pushes).then_some(())
        })
        .await;
        sandbox.wait_for_removal().await;
        self.assert_sweep_removes_the_copy(job).await;
    }

    /// Sweeps once. Afterwards, the delivery bucket must not contain a copy of this job.
    async fn assert_sweep_removes_the_copy(&self, job: &str) {
        self.sandbox.cloud.invoke("sweep", &json!({})).await.unwrap();
        let copy = self.sandbox.cloud.delivered_object(&format!("downloads/{job}/0")).await;
        assert!(copy.is_none(), "a copy remains");
    }
}

#[tokio::test]
async fn document_withdrawn_before_its_push_is_not_delivered() {
    let case = Case::new(1000, &[]).await;
    let sandbox = &case.sandbox;
    sandbox.source_faults([json!({ "operation": "push", "status": 503, "count": 0 })]).await;
    let job = case.create_job().await;
    eventually("a push is refused", SHORT_TIMEOUT, async || {
        let fired = sandbox.ords.simulator.fired_counts(&sandbox.tag).await;
        (fired[0] > 0).then_some(())
    })
    .await;

    case.withdraw().await;
    case.assert_nothing_is_issued(Some(&job)).await;
    sandbox.ords.simulator.remove_faults(&sandbox.tag).await;

    case.assert_job_fails(&job).await;
    // A push that was answered with 503 may have been executed. The transfer repeats it once to learn
    // the exchange key, so that it can remove the object.
    case.assert_arrivals_are_removed(&job).await;
}

#[tokio::test]
async fn document_withdrawn_before_its_arrival_is_removed_when_it_arrives() {
    let case = Case::new(1000, &[("moverDelayMs", "6000")]).await;
    let job = case.create_job().await;
    case.wait_for_phase(&job, "awaiting_arrival").await;

    case.withdraw().await;
    case.assert_nothing_is_issued(Some(&job)).await;

    case.assert_job_fails(&job).await;
    case.assert_arrivals_are_removed(&job).await;
}

#[tokio::test]
async fn document_withdrawn_during_its_upload_reaches_no_onedrive() {
    let case = Case::new(40 * MIB, &[]).await;
    let sandbox = &case.sandbox;
    sandbox.limit_bandwidth(2 * MIB).await;
    let id = sandbox.send().await;
    eventually("bytes are acknowledged", SHORT_TIMEOUT, async || {
        Some(sandbox.api.status(&id).await).filter(|status| status.percent_transfered > 10)
    })
    .await;

    case.withdraw().await;
    case.assert_nothing_is_issued(None).await;

    let status = sandbox.wait_for_end(SHORT_TIMEOUT, &id).await;
    let message = FailureCode::DocumentWithdrawn.message();
    assert_eq!(status.last_error_message.as_deref(), Some(message));
    assert!(sandbox.graph.files(&sandbox.email).await.is_empty());
    assert!(sandbox.open_sessions().await.is_empty());
    sandbox.assert_no_leftovers(&id).await;
}

#[tokio::test]
async fn withdrawn_copy_gets_no_url_and_is_gone_after_a_sweep() {
    for has_url in [false, true] {
        let case = Case::new(1000, &[]).await;
        let job = case.create_job().await;
        // The status would issue a URL.
        case.wait_for_phase(&job, "completed").await;
        let copy = format!("downloads/{job}/0");
        assert!(case.sandbox.cloud.delivered_object(&copy).await.is_some());
        let mut url = None;
        if has_url {
            let issued = case.api.get(&format!("/v1/download/{job}")).await;
            let location = issued.headers["location"].to_str().unwrap();
            assert_eq!(fetch(location).await, StatusCode::OK);
            url = Some(location.to_owned());
        }

        case.withdraw().await;
        case.assert_nothing_is_issued(Some(&job)).await;
        case.assert_sweep_removes_the_copy(&job).await;
        if let Some(url) = url {
            assert_eq!(fetch(&url).await, StatusCode::NOT_FOUND);
        }
        case.assert_nothing_is_issued(Some(&job)).await;
    }
}

/// Fetches a presigned URL, without the credentials of the API.
async fn fetch(url: &str) -> StatusCode {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(url).send().await.unwrap().status()
}
