//! Tests of trace propagation: from the request through the workflow to all outgoing calls.
//! The tests use the deployed system with IAM enforcement.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeSet;
use std::time::Duration;

use docferry_system_tests::{MIB, Sandbox, Simulator, eventually};
use reqwest::{Method, StatusCode};
use serde_json::json;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const BOUND: Duration = Duration::from_secs(60);

/// Returns the operations that a simulator received for this tag, and their trace contexts.
async fn requests_of(simulator: &Simulator, tag: &str) -> (BTreeSet<String>, Vec<Option<String>>) {
    let mut requests = simulator.requests(tag).await;
    // The mover works on its own, without a trace.
    requests.retain(|request| request.operation != "move");
    let operations = requests.iter().map(|request| request.operation.clone()).collect();
    (operations, requests.into_iter().map(|request| request.traceparent).collect())
}

#[tokio::test]
async fn trace_context_is_sent_with_every_outgoing_call() {
    let untraced = Sandbox::new().await;
    let traced = Sandbox { api: untraced.api.within_trace(TRACEPARENT), ..Sandbox::new().await };
    for (sandbox, expected) in [(&traced, Some(TRACEPARENT)), (&untraced, None)] {
        let document = sandbox.document(5 * MIB).await;
        let (_, file) = sandbox.deliver(&document).await;
        assert_eq!(file.sessions, 1);

        for simulator in [&sandbox.ords.0, &sandbox.graph.0] {
            let (operations, traces) = requests_of(simulator, &sandbox.tag).await;
            assert!(!traces.is_empty());
            for trace in traces {
                assert_eq!(trace.as_deref(), expected, "{operations:?}");
            }
        }
    }

    let (operations, _) = requests_of(&traced.graph.0, &traced.tag).await;
    assert!(operations.len() >= 3, "at least lookup, session and fragment: {operations:?}");
}

#[tokio::test]
async fn each_document_of_a_batch_belongs_to_its_trace() {
    let sandbox = Sandbox::new().await;
    let api = sandbox.api.within_trace(TRACEPARENT);
    let mut files = Vec::new();
    for n in 0..3 {
        let (file_id, document) =
            sandbox.with_suffix(&n.to_string()).indexed_document(1000, &[]).await;
        files.push((file_id, document.guid));
    }
    let numbers: Vec<u64> = files.iter().map(|(number, _)| *number).collect();
    let body = json!({ "file_ids": numbers }).to_string();
    let accepted = eventually("the job is accepted", BOUND, async || {
        let answer = api.request(Method::POST, "/v1/download/initiate", Some(&body)).await;
        (answer.status == StatusCode::ACCEPTED).then_some(answer)
    })
    .await;
    let path = format!("/v1/download/status/{}", accepted.json()["jobId"].as_str().unwrap());
    eventually("the job ends", BOUND, async || {
        let status = api.get(&path).await.json();
        (status["status"] == "completed").then_some(())
    })
    .await;
    for (_, guid) in files {
        let (_, traces) = requests_of(&sandbox.ords.0, &guid).await;
        assert!(!traces.is_empty());
        assert!(traces.iter().all(|trace| trace.as_deref() == Some(TRACEPARENT)), "{traces:?}");
    }
}
