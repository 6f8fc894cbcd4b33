//! Tests of `GET /ping`, which reports whether the document source (ORDS) responds. The tests have
//! their own file and test group, because a ping names no document: an injected fault of the ping of
//! ORDS affects all callers.

use docferry_system_tests::Sandbox;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// Makes the tests run one after the other. With nextest the test group does the same.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Text by which a fault rule matches pings, which name no document.
const PING_SUBJECT: &str = "";

#[tokio::test]
async fn ping_returns_the_ords_report_or_500_when_ords_is_down() {
    let _guard = ONE_AT_A_TIME.lock().await;
    let sandbox = Sandbox::new().await;
    let ords = &sandbox.ords.simulator;
    ords.remove_faults(PING_SUBJECT).await;
    let response = sandbox.api.get("/ping").await;
    assert_eq!((response.status, response.media_type()), (StatusCode::OK, "text/plain"));
    assert_eq!(response.text, "objcenords is up and running");

    let down = json!({ "operation": "ping", "match": PING_SUBJECT, "status": 503, "count": 0 });
    ords.add_faults(&[down]).await;
    let response = sandbox.api.get("/ping").await;
    ords.remove_faults(PING_SUBJECT).await;
    assert_eq!(response.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", response.text);
    assert_eq!(response.media_type(), "application/problem+json");
    assert_eq!(response.json()["code"], "SOURCE_UNAVAILABLE");

    let response = sandbox.api.get("/ping").await;
    assert_eq!(response.status, StatusCode::OK);
}

#[tokio::test]
async fn ping_function_handles_its_sample_event() {
    let _guard = ONE_AT_A_TIME.lock().await;
    let sandbox = Sandbox::new().await;
    let sample_path = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/ping/ping.json");
    let sample_text = std::fs::read_to_string(sample_path).unwrap();
    let sample: Value = serde_json::from_str(&sample_text).unwrap();
    let response = sandbox.cloud.invoke("ping", &sample).await.unwrap();
    assert_eq!(response["statusCode"], 200, "{response}");
}
