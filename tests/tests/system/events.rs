//! Tests that invoke the deployed functions directly with the sample events in `events/`.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_system_tests::{FailureCode, Sandbox, find_audit_records};
use serde_json::{Value, json};

/// Reads a sample event.
fn event(path: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let text = std::fs::read_to_string(root.join(path)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The list names every sample event that a test uses.
#[test]
fn every_sample_event_is_used_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let mut existing: Vec<String> = samples(&root).collect();
    existing.sort();
    assert_eq!(
        existing,
        [
            "archive/record.json",
            "authorizer/basic.json",
            "authorizer/bearer.json",
            "authorizer/missing.json",
            "control/terminate.json",
            "download/get.json",
            "feed/faulty.json",
            "feed/record.json",
            "finalize/delivered.json",
            "finalize/failed.json",
            "initiate/court-list.json",
            "initiate/invalid.json",
            "initiate/upload-to-root.json",
            "initiate/upload.json",
            "notify/event.json",
            "notify/notice.json",
            "notify/outcome.json",
            "ping/ping.json",
            "poll/first-attempt.json",
            "publish/first-attempt.json",
            "push/first-attempt.json",
            "search/content.json",
            "search/metadata.json",
            "search/search-by-form.json",
            "search/search.json",
            "search/unknown.json",
            "status/health.json",
            "status/status.json",
            "status/unknown.json",
            "subscribe/follow.json",
            "subscribe/resume.json",
            "sweep/scheduled.json",
            "upload/first-attempt.json",
            "webhook/completed.json",
        ]
    );
}

/// Returns the paths of all sample events below `root`, as `{function}/{file}`.
fn samples(root: &Path) -> impl Iterator<Item = String> {
    let entries = |path: &Path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    entries(root).flat_map(move |function| {
        let name = function.file_name().into_string().unwrap();
        entries(&function.path())
            .map(move |case| format!("{name}/{}", case.file_name().to_str().unwrap()))
    })
}

#[tokio::test]
async fn steps_fail_with_a_known_code_for_an_unknown_transfer() {
    let sandbox = Sandbox::new().await;
    for step in ["push", "poll", "publish", "upload", "finalize"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
        for sample in samples(&root).filter(|name| name.starts_with(&format!("{step}/"))) {
            let error = sandbox.cloud.invoke(step, &event(&sample)).await.unwrap_err();
            let name = error["errorType"].as_str().unwrap();
            let code: FailureCode = name.parse().unwrap_or_else(|_| panic!("{sample}: {error}"));
            assert_eq!(error["errorMessage"], code.message(), "{sample}");
        }
    }
}

#[tokio::test]
async fn authorizer_accepts_only_the_service_account() {
    let sandbox = Sandbox::new().await;
    for sample in ["authorizer/basic.json", "authorizer/bearer.json", "authorizer/missing.json"] {
        // The password and the token in the samples are not valid for this stack.
        let error = sandbox.cloud.invoke("authorizer", &event(sample)).await.unwrap_err();
        assert_eq!(error["errorMessage"], "Unauthorized", "{sample}");
    }

    let mut valid = event("authorizer/basic.json");
    let login = &sandbox.stack.scv;
    let basic = STANDARD.encode(format!("{}:{}", login.username, login.password));
    valid["headers"]["Authorization"] = format!("Basic {basic}").into();
    valid["multiValueHeaders"]["Authorization"] = json!([valid["headers"]["Authorization"]]);
    let response = sandbox.cloud.invoke("authorizer", &valid).await.unwrap();
    let statement = &response["policyDocument"]["Statement"][0];
    assert_eq!(statement["Effect"], "Allow", "{response}");

    let resource = statement["Resource"][0].as_str().unwrap();
    // The sample names the API `a1b2c3d4e5` and the stage `local`.
    assert!(resource.ends_with("a1b2c3d4e5/local/*"), "{resource}");
}

#[tokio::test]
async fn api_functions_handle_their_sample_events() {
    let sandbox = Sandbox::new().await;
    for (sample, status) in [
        ("initiate/court-list.json", 202),
        ("initiate/invalid.json", 400),
        ("initiate/upload.json", 202),
        ("initiate/upload-to-root.json", 202),
        ("download/get.json", 404),
        ("search/content.json", 404),
        ("search/metadata.json", 200),
        ("search/search-by-form.json", 200),
        ("search/search.json", 200),
        ("search/unknown.json", 404),
        ("status/health.json", 200),
        ("status/status.json", 404),
        ("status/unknown.json", 404),
        ("subscribe/follow.json", 404),
        ("subscribe/resume.json", 404),
    ] {
        let function = sample.split('/').next().unwrap();
        let response = sandbox.cloud.invoke(function, &event(sample)).await.unwrap();
        assert_eq!(response["statusCode"], status, "{sample}: {response}");
    }
}

#[tokio::test]
async fn status_function_handles_its_sample_for_an_existing_transfer() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(10).await;
    let (id, _) = sandbox.deliver(&document).await;
    let mut sample = event("status/status.json");
    let sample_id = sample["pathParameters"]["transferId"].as_str().unwrap().to_owned();
    sample = serde_json::from_str(&sample.to_string().replace(&sample_id, &id)).unwrap();
    let response = sandbox.cloud.invoke("status", &sample).await.unwrap();
    assert_eq!(response["statusCode"], 200, "{response}");
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["transferId"], &body["percentTransfered"]), (&json!(id), &json!(100)));
}

#[tokio::test]
async fn notify_function_handles_its_sample_events() {
    let sandbox = Sandbox::new().await;
    for sample in ["notify/outcome.json", "notify/notice.json", "notify/event.json"] {
        let result = sandbox.cloud.invoke("notify", &event(sample)).await.unwrap();
        assert_eq!(result["batchItemFailures"], json!([]), "{sample}: {result}");
    }
}

#[tokio::test]
async fn archive_function_archives_its_sample_record() {
    let sandbox = Sandbox::new().await;
    let result = sandbox.cloud.invoke("archive", &event("archive/record.json")).await.unwrap();
    assert_eq!(result, Value::Null);
    let conditions = ["--actor", "sub:archive-sample", "--since", "2026-11-01"];
    let records = find_audit_records(&sandbox.stack, &conditions).await;
    assert!(records.iter().any(|record| record["action"] == "URL issued"), "{records:?}");
}

#[tokio::test]
async fn webhook_function_reports_an_undeliverable_sample_as_failed() {
    let sandbox = Sandbox::new().await;
    let sample = event("webhook/completed.json");
    let result = sandbox.cloud.invoke("webhook", &sample).await.unwrap();
    let id = &sample["Records"][0]["messageId"];
    assert_eq!(result["batchItemFailures"], json!([{ "itemIdentifier": id }]), "{result}");
}

#[tokio::test]
async fn feed_function_handles_its_sample_events() {
    let sandbox = Sandbox::new().await;
    for sample in ["feed/record.json", "feed/faulty.json"] {
        let result = sandbox.cloud.invoke("feed", &event(sample)).await.unwrap();
        assert_eq!(result["batchItemFailures"], json!([]), "{sample}: {result}");
    }
}

#[tokio::test]
async fn control_ignores_an_unknown_id_and_sweep_handles_its_schedule() {
    let sandbox = Sandbox::new().await;
    let response = sandbox.cloud.invoke("control", &event("control/terminate.json")).await.unwrap();
    assert_eq!(response["statusCode"], 202, "{response}");
    let swept = sandbox.cloud.invoke("sweep", &event("sweep/scheduled.json")).await;
    assert!(swept.is_ok(), "{swept:?}");
}
