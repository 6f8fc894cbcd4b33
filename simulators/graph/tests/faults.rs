//! Tests of fault rules, bandwidth limits and the request log of the Microsoft Graph simulator.

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{FRAGMENT_UNIT, USER, error_code, read_json, start_bench, test_bytes};

#[tokio::test]
async fn fault_rule_fires_from_its_position_for_count_requests() {
    let bench = start_bench().await;
    bench
        .add_faults(json!([{
            "operation": "getItem", "position": 2, "count": 2, "match": "ada", "status": 503,
            "retryAfter": 322
        }]))
        .await;
    let path = format!("/users/{USER}/drive/root");
    let mut seen = Vec::new();
    for _ in 0..4 {
        let response = bench.request(reqwest::Method::GET, &path).send().await.unwrap();
        let wait =
            response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        seen.push((response.status().as_u16(), wait));
    }
    let rejected = (503, Some("322".to_owned()));
    assert_eq!(seen, [(200, None), rejected.clone(), rejected, (200, None)]);

    let rules = bench.get_admin("/faults").await;
    assert_eq!((&rules[0]["seen"], &rules[0]["fired"]), (&json!(4), &json!(2)));
}

#[tokio::test]
async fn rejection_of_an_invalid_rule_names_the_field_or_operation() {
    let bench = start_bench().await;
    let url = format!("{}/faults", bench.graph.admin_url());
    for (rule, name) in [
        (json!({ "operation": "fragment", "stauts": 500 }), "stauts"),
        (json!({ "operation": "fragmnet" }), "fragmnet"),
        (json!({ "operation": "fragment", "storeFraction": 1.5 }), "storeFraction"),
        (json!({ "status": 500 }), "operation"),
    ] {
        let (status, body) =
            read_json(bench.http.post(&url).json(&rule).send().await.unwrap()).await;
        assert_eq!(status, 400);
        assert!(body["error"].as_str().unwrap().contains(name), "{body}");
    }

    bench.add_faults(json!({ "operation": "token", "match": "a" })).await;
    bench.add_faults(json!({ "operation": "token", "match": "b" })).await;
    bench.http.delete(format!("{url}?match=a")).send().await.unwrap();
    assert_eq!(bench.get_admin("/faults").await.as_array().unwrap().len(), 1);

    bench.http.delete(&url).send().await.unwrap();
    assert_eq!(bench.get_admin("/faults").await, json!([]));
}

#[tokio::test]
async fn fragment_can_be_stored_partially_and_return_an_error() {
    let bench = start_bench().await;
    let all = test_bytes(3 * FRAGMENT_UNIT);
    let url = bench.create_session("part.pdf", all.len()).await;
    // The simulator stores 30 % of the first fragment, and the whole second fragment.
    let first_stored = FRAGMENT_UNIT * 3 / 10;
    bench
        .add_faults(json!([
            { "operation": "fragment", "position": 1, "status": 500, "storeFraction": 0.3 },
            { "operation": "fragment", "position": 2, "status": 503, "storeFraction": 1 },
            { "operation": "fragment", "position": 3, "status": 429 },
        ]))
        .await;
    assert_eq!(bench.put_fragment(&url, &all, 0, FRAGMENT_UNIT).await.0, 500);
    assert_eq!(
        bench.next_expected_ranges(&url).await,
        json!([format!("{first_stored}-")]),
        "the next offset is unaligned"
    );
    let next = first_stored + FRAGMENT_UNIT;
    assert_eq!(bench.put_fragment(&url, &all, first_stored, next).await.0, 503);

    assert_eq!(bench.next_expected_ranges(&url).await, json!([format!("{next}-")]));
    let (status, body) = bench.put_fragment(&url, &all, next, all.len()).await;
    assert_eq!((status.as_u16(), error_code(&body).as_str()), (429, "activityLimitReached"));
    assert_eq!(bench.next_expected_ranges(&url).await, json!([format!("{next}-")]));
    assert_eq!(bench.put_fragment(&url, &all, next, all.len()).await.0, 201);
    assert!(bench.stored_bytes("part.pdf").await == all);

    // The last fragment was sent twice.
    let sent = FRAGMENT_UNIT + FRAGMENT_UNIT + 2 * (all.len() - next);
    assert_eq!(bench.get_admin("/files").await[0]["receivedBytes"], sent);
}

#[tokio::test]
async fn connection_can_be_reset_during_a_request_body() {
    let bench = start_bench().await;
    let all = test_bytes(20 * FRAGMENT_UNIT);
    let url = bench.create_session("reset.pdf", all.len()).await;
    bench
        .add_faults(json!([
            { "operation": "fragment", "resetAfter": 0.5 },
            { "operation": "fragment", "position": 2, "resetAfter": 0.5, "storeFraction": 0.1 },
        ]))
        .await;
    bench.fragment_request(&url, &all, 0, 20 * FRAGMENT_UNIT).send().await.unwrap_err();
    assert_eq!(bench.next_expected_ranges(&url).await, json!(["0-"]));

    bench.fragment_request(&url, &all, 0, 20 * FRAGMENT_UNIT).send().await.unwrap_err();
    assert_eq!(bench.next_expected_ranges(&url).await, json!([format!("{}-", 2 * FRAGMENT_UNIT)]));
    assert_eq!(bench.put_fragment(&url, &all, 2 * FRAGMENT_UNIT, 20 * FRAGMENT_UNIT).await.0, 201);
    assert!(bench.stored_bytes("reset.pdf").await == all);
}

#[tokio::test]
async fn final_response_of_an_upload_can_be_wrong() {
    let bench = start_bench().await;
    let small = test_bytes(1000);
    for (name, field) in
        [("a", "noHash"), ("b", "noItem"), ("c", "corruptHash"), ("d.docx", "rewrite")]
    {
        bench.add_faults(json!({ "operation": "lastFragment", "match": name, field: true })).await;
        let url = bench.create_session(&format!("x/{name}"), small.len()).await;
        let (status, item) = bench.put_fragment(&url, &small, 0, small.len()).await;
        assert_eq!(status, 201);
        let (_, later) = bench.get(&format!("/users/{USER}/drive/root:/x/{name}")).await;
        let files = bench.get_admin("/files").await;
        let files = files.as_array().unwrap();
        let path = format!("x/{name}");
        let stored = files.iter().find(|file| file["path"] == path.as_str()).unwrap();
        let (hash, later_hash) =
            (&item["file"]["hashes"]["quickXorHash"], &later["file"]["hashes"]["quickXorHash"]);
        match field {
            "noHash" => assert_eq!((hash, later_hash), (&Value::Null, &stored["quickXorHash"])),
            "noItem" => assert_eq!((&item, later_hash), (&json!({}), &stored["quickXorHash"])),
            "corruptHash" => {
                assert_ne!(later_hash, &stored["quickXorHash"]);
                assert_eq!(hash, later_hash);
            }
            _ => {
                assert!(later["size"].as_u64().unwrap() > 1000);
                assert_eq!(later_hash, &stored["quickXorHash"]);
            }
        }
    }
}

#[tokio::test]
async fn session_can_hide_its_ranges_and_expire() {
    let bench = start_bench().await;
    let all = test_bytes(2 * FRAGMENT_UNIT);
    let url = bench.create_session("gone.pdf", all.len()).await;
    bench
        .add_faults(json!([
            { "operation": "fragment", "emptyRanges": true },
            { "operation": "sessionStatus", "emptyRanges": true },
            { "operation": "lastFragment", "expireSession": true },
        ]))
        .await;
    assert_eq!(
        bench.put_fragment(&url, &all, 0, FRAGMENT_UNIT).await.1["nextExpectedRanges"],
        json!([])
    );
    assert_eq!(bench.next_expected_ranges(&url).await, json!([]));
    assert_eq!(bench.put_fragment(&url, &all, FRAGMENT_UNIT, 2 * FRAGMENT_UNIT).await.0, 404);
    assert_eq!(bench.http.get(&url).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn session_can_lose_acknowledged_bytes() {
    let bench = start_bench().await;
    let all = test_bytes(2 * FRAGMENT_UNIT);
    let url = bench.create_session("lost.pdf", all.len()).await;
    bench
        .add_faults(json!([
            { "operation": "lastFragment", "forgetBytes": true },
            { "operation": "sessionStatus", "position": 2, "forgetBytes": true },
        ]))
        .await;
    bench.put_fragment(&url, &all, 0, FRAGMENT_UNIT).await;
    let (status, body) = bench.put_fragment(&url, &all, FRAGMENT_UNIT, 2 * FRAGMENT_UNIT).await;
    let acknowledged = format!("{}-", 2 * FRAGMENT_UNIT);
    assert_eq!((status.as_u16(), &body["nextExpectedRanges"]), (202, &json!([acknowledged])));
    assert_eq!(bench.next_expected_ranges(&url).await, json!(["0-"]));
    assert_eq!(bench.put_fragment(&url, &all, 0, FRAGMENT_UNIT).await.0, 202);
    assert_eq!(bench.next_expected_ranges(&url).await, json!(["0-"]));
    assert_eq!(bench.put_fragment(&url, &all, 0, 2 * FRAGMENT_UNIT).await.0, 201);
    assert!(bench.stored_bytes("lost.pdf").await == all);
}

#[tokio::test]
async fn bandwidth_limit_applies_to_matching_subjects() {
    let bench = start_bench().await;
    let all = test_bytes(FRAGMENT_UNIT);
    let shape = json!({ "bytesPerSecond": 400_000, "match": "slow" });
    let url = format!("{}/shape", bench.graph.admin_url());
    bench.http.post(&url).json(&shape).send().await.unwrap().error_for_status().unwrap();
    let mut took = Vec::new();
    for name in ["slow.pdf", "fast.pdf", "fast-2.pdf", "fast-3.pdf"] {
        let session = bench.create_session(name, all.len()).await;
        let start = Instant::now();
        assert_eq!(bench.put_fragment(&session, &all, 0, FRAGMENT_UNIT).await.0, 201);
        took.push(start.elapsed());
    }

    // 327,680 bytes take 819 ms at 400,000 bytes per second.
    assert!(took[0] > Duration::from_millis(750), "{took:?}");
    // A busy machine may delay one of the uploads without a limit.
    assert!(took[1..].iter().any(|fast| *fast < took[0]), "{took:?}");
}
