//! Tests of the mover of the document source simulator, which writes pushed documents to the
//! exchange bucket.

mod support;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use support::{Bench, start_bench, start_bucket};

async fn wait_until_nfs_is_empty(bench: &Bench) {
    while bench.get_admin("/nfs").await != json!([]) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn pushed_document_arrives_and_leaves_the_nfs() {
    let mut bucket = start_bucket().await;
    let bench = start_bench(Some(&bucket)).await;
    bench.add_document("g", "filename=f.pdf&mimetype=text/plain", b"hello".to_vec()).await;
    bench.push("g").await;
    bench.push("g").await;
    for _ in 0..2 {
        let arrival = bucket.next_arrival().await;
        assert_eq!(
            (arrival.path.as_str(), arrival.bytes.as_slice()),
            ("/exchange/f.pdf", &b"hello"[..])
        );
        assert_eq!((arrival.content_type.as_str(), arrival.parts), ("text/plain", 0));
    }

    wait_until_nfs_is_empty(&bench).await;
    let document = bench.get_admin("/documents").await[0].clone();
    assert_eq!((&document["pushes"], &document["moves"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn large_generated_document_is_uploaded_in_parts() {
    let mut bucket = start_bucket().await;
    let bench = start_bench(Some(&bucket)).await;
    let size = 20 * 1024 * 1024 + 5;
    let query = format!("filename=big.bin&mimetype=video/mp4&generate={size}&seed=3");
    let document = bench.add_document("g", &query, Vec::new()).await;
    assert_eq!(document["size"], size);

    bench.push("g").await;
    let arrival = bucket.next_arrival().await;
    assert_eq!((arrival.bytes.len(), arrival.parts), (size, 3));
    assert_eq!(arrival.content_type, "video/mp4");

    let digest: String =
        Sha256::digest(&arrival.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(document["sha256"], digest.as_str());
}

#[tokio::test]
async fn object_can_appear_partially_and_be_replaced() {
    let mut bucket = start_bucket().await;
    let bench = start_bench(Some(&bucket)).await;
    bench.add_document("g", "filename=f.pdf", b"0123456789".to_vec()).await;
    let rule = json!({ "operation": "move", "match": "g ", "storeFraction": 0.35, "delayMs": 20 });
    bench.add_faults(rule).await;
    bench.push("g").await;
    assert_eq!(bucket.next_arrival().await.bytes, b"012");
    assert_eq!(bucket.next_arrival().await.bytes, b"0123456789");
}

#[tokio::test]
async fn move_rule_can_prevent_arrival() {
    let mut bucket = start_bucket().await;
    let bench = start_bench(Some(&bucket)).await;
    bench.add_document("a", "filename=a.pdf", b"a".to_vec()).await;
    bench.add_document("b", "filename=b.pdf", b"b".to_vec()).await;
    bench.add_faults(json!({ "operation": "move", "match": "a.pdf", "never": true })).await;
    bench.push("a").await;
    bench.push("b").await;
    assert_eq!(bucket.next_arrival().await.path, "/exchange/b.pdf");
    let nfs = bench.get_admin("/nfs").await;
    assert!(nfs.as_array().unwrap().iter().any(|file| file["never"] == true), "{nfs}");
}
