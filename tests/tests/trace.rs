//! Tests of trace propagation with the deployed system: docferry sends the trace context of a
//! request (`traceparent`, W3C Trace Context) with all calls that it makes for this request.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeSet;
use std::time::Duration;

use docferry_system_tests::{MIB, Sandbox, Simulator, eventually};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// Trace context of the requests.
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TIMEOUT: Duration = Duration::from_secs(60);

/// The requests that a simulator has received for one subject.
struct ReceivedRequests {
    operations: BTreeSet<String>,
    /// The trace context of each request.
    traces: Vec<Option<String>>,
}

/// Returns the requests that a simulator has received for subjects that contain this text.
async fn received_requests(simulator: &Simulator, text: &str) -> ReceivedRequests {
    let mut requests = simulator.requests(text).await;
    // The mover, which copies documents, is not called by docferry and has no trace.
    requests.retain(|request| request.operation != "move");
    let operations = requests.iter().map(|request| request.operation.clone()).collect();
    let traces = requests.into_iter().map(|request| request.traceparent).collect();
    ReceivedRequests { operations, traces }
}

#[tokio::test]
async fn trace_context_is_sent_with_every_outgoing_call() {
    let untraced = Sandbox::new().await;
    let traced = Sandbox { api: untraced.api.within_trace(TRACEPARENT), ..Sandbox::new().await };
    for (sandbox, expected) in [(&traced, Some(TRACEPARENT)), (&untraced, None)] {
        let document = sandbox.document(5 * MIB).await;
        let (_, file) = sandbox.deliver(&document).await;
        assert_eq!(file.sessions, 1);

        for simulator in [&sandbox.ords.simulator, &sandbox.graph.simulator] {
            let ReceivedRequests { operations, traces } =
                received_requests(simulator, &sandbox.tag).await;
            assert!(!traces.is_empty());
            for trace in traces {
                assert_eq!(trace.as_deref(), expected, "{operations:?}");
            }
        }
    }

    let operations = received_requests(&traced.graph.simulator, &traced.tag).await.operations;
    assert!(operations.len() >= 3, "at least lookup, session and fragment: {operations:?}");
}

#[tokio::test]
async fn each_document_of_a_batch_belongs_to_its_trace() {
    let sandbox = Sandbox::new().await;
    let api = sandbox.api.within_trace(TRACEPARENT);
    let (mut file_ids, mut guids) = (Vec::new(), Vec::new());
    for suffix in ["0", "1", "2"] {
        let (file_id, document) = sandbox.with_suffix(suffix).indexed_document(1000, &[]).await;
        file_ids.push(file_id);
        guids.push(document.guid);
    }
    let body = json!({ "file_ids": file_ids }).to_string();
    let accepted = eventually("the job is accepted", TIMEOUT, async || {
        let response = api.request(Method::POST, "/v1/download/initiate", Some(&body)).await;
        (response.status == StatusCode::ACCEPTED).then_some(response)
    })
    .await;
    let path = format!("/v1/download/status/{}", accepted.json()["jobId"].as_str().unwrap());
    eventually("the job ends", TIMEOUT, async || {
        let status = api.get(&path).await.json();
        (status["status"] == "completed").then_some(())
    })
    .await;
    for guid in guids {
        let traces = received_requests(&sandbox.ords.simulator, &guid).await.traces;
        assert!(!traces.is_empty());
        assert!(traces.iter().all(|trace| trace.as_deref() == Some(TRACEPARENT)), "{traces:?}");
    }
}
