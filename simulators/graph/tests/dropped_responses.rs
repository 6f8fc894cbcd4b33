//! Tests of fault rules of the Microsoft Graph simulator that break the connection instead of
//! sending a response.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::{Bench, FRAGMENT_UNIT, USER, start_bench, test_bytes};

/// Checks that one request in the log has no response, and that the log contains no credential.
async fn assert_one_response_is_lost(bench: &Bench) {
    let log = bench.get_admin("/requests").await;
    let lost = log.as_array().unwrap().iter().filter(|entry| entry["status"] == Value::Null);
    assert_eq!(lost.count(), 1);
    assert!(!log.to_string().contains("tempauth"));
}

#[tokio::test]
async fn last_fragment_with_a_dropped_response_completes_the_file() {
    let bench = start_bench().await;
    let all = test_bytes(FRAGMENT_UNIT);
    let url = bench.create_session("lost.pdf", all.len()).await;
    let drop_last = json!({ "operation": "lastFragment", "dropResponse": true, "match": "ada" });
    bench.add_faults(drop_last).await;

    let error = bench.fragment_request(&url, &all, 0, FRAGMENT_UNIT).send().await.unwrap_err();

    assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    assert_eq!(bench.http.get(&url).send().await.unwrap().status(), 404);
    assert!(bench.stored_bytes("lost.pdf").await == all);
    assert_one_response_is_lost(&bench).await;
}

#[tokio::test]
async fn fragment_with_a_dropped_response_can_be_stored_partially() {
    let bench = start_bench().await;
    let all = test_bytes(FRAGMENT_UNIT);
    let url = bench.create_session("half.pdf", all.len()).await;
    bench
        .add_faults(json!({ "operation": "fragment", "dropResponse": true, "storeFraction": 0.5 }))
        .await;

    bench.fragment_request(&url, &all, 0, FRAGMENT_UNIT).send().await.unwrap_err();

    let half = format!("{}-", FRAGMENT_UNIT / 2);
    assert_eq!(bench.next_expected_ranges(&url).await, json!([half]));
    assert_one_response_is_lost(&bench).await;
}

#[tokio::test]
async fn session_exists_although_its_creation_response_was_dropped() {
    let bench = start_bench().await;
    bench.add_faults(json!({ "operation": "createSession", "dropResponse": true })).await;
    let path = format!("/users/{USER}/drive/root:/ghost.pdf:/createUploadSession");

    bench.request(reqwest::Method::POST, &path).send().await.unwrap_err();

    let (status, _) = bench.request_session("ghost.pdf", 5, "fail").await;
    assert_eq!(status, 409, "the path has an open session");
    assert_one_response_is_lost(&bench).await;
}
