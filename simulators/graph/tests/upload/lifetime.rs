//! Tests of the time after which an idle upload session expires.

use std::time::Duration;

use docferry_sim_graph::Config;
use serde_json::json;

use crate::support::{config, error_code, read_json, start_bench, start_bench_with};

#[tokio::test]
async fn session_lifetime_can_be_changed_at_run_time() {
    let bench = start_bench().await;
    let endpoint = format!("{}/sessions/lifetime", bench.graph.admin_url());
    let set = bench.http.put(format!("{endpoint}?seconds=0")).send().await.unwrap();
    assert_eq!(read_json(set).await.1, json!({ "seconds": 0 }));

    let url = bench.create_session("late.pdf", 5).await;
    assert_eq!(bench.session_status_code(&url).await, 404);
    bench.http.put(format!("{endpoint}?seconds=60")).send().await.unwrap();
    assert_eq!(
        read_json(bench.http.get(&endpoint).send().await.unwrap()).await.1,
        json!({ "seconds": 60 })
    );

    let url = bench.create_session("late.pdf", 5).await;
    assert_eq!(bench.session_status_code(&url).await, 200);
}

#[tokio::test]
async fn idle_session_expires() {
    let bench = start_bench_with(Config { session_lifetime: Duration::ZERO, ..config() }).await;
    let url = bench.create_session("late.pdf", 5).await;
    let (status, body) = bench.put_fragment(&url, b"hello", 0, 5).await;
    assert_eq!((status.as_u16(), error_code(&body).as_str()), (404, "uploadSessionNotFound"));
    assert_eq!(bench.get_admin("/sessions").await[0]["state"], "expired");
}
