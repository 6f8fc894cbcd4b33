//! Tests of `GET /ping`, in a separate file and test group. A ping has no subject, so a fault
//! of ORDS' ping affects all callers.

use docferry_system_tests::Sandbox;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// Serializes the tests when they run without nextest, whose test group does that otherwise.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn ping_returns_the_report_of_ords_or_500_when_down() {
    let _guard = ONE_AT_A_TIME.lock().await;
    let sandbox = Sandbox::new().await;
    let ords = &sandbox.ords.0;
    // The empty match is that of pings, which have no subject.
    ords.remove_faults("").await;
    let answer = sandbox.api.get("/ping").await;
    assert_eq!((answer.status, answer.media_type()), (StatusCode::OK, "text/plain"));
    assert_eq!(answer.text, "objcenords is up and running");

    let down = json!({ "operation": "ping", "match": "", "status": 503, "count": 0 });
    ords.add_faults(&[down]).await;
    let answer = sandbox.api.get("/ping").await;
    ords.remove_faults("").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.text);
    assert_eq!(answer.media_type(), "application/problem+json");
    assert_eq!(answer.json()["code"], "SOURCE_UNAVAILABLE");

    let answer = sandbox.api.get("/ping").await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn ping_function_handles_its_sample_event() {
    let _guard = ONE_AT_A_TIME.lock().await;
    let sandbox = Sandbox::new().await;
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/ping/ping.json");
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(sample).unwrap()).unwrap();
    let answer = sandbox.cloud.invoke("ping", &sample).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
}
