//! Tests of reading, listing and deleting objects.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{AUTHORIZATION, Store, header};

#[tokio::test]
async fn ranges_are_served_if_the_etag_matches() {
    let store = Store::new().await;
    let object = store.put_object("a/b%20c.bin", 10_000_000).await;
    let tag = object["etag"].as_str().unwrap();
    let head = store.request(Method::HEAD, "/a/b%20c.bin").send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "10000000"));
    assert_eq!(header(&head, "etag"), tag);
    assert!(header(&head, "last-modified").ends_with(" GMT"));
    assert!(header(&head, "date").ends_with(" GMT"));

    let whole = store.request(Method::GET, "/a/b%20c.bin").send().await.unwrap();
    let whole = whole.bytes().await.unwrap();
    let part = store.get_range("bytes=4194000-4195000", tag).await;
    assert_eq!((part.status().as_u16(), header(&part, "content-length")), (206, "1001"));
    assert_eq!(header(&part, "content-range"), "bytes 4194000-4195000/10000000");
    assert_eq!(part.bytes().await.unwrap(), whole[4_194_000..=4_195_000]);

    for (range, tag, status) in [
        ("bytes=0-1", "\"other\"", 412),
        ("bytes=10000000-", tag, 416),
        ("bytes=9999999-20000000", tag, 206),
    ] {
        assert_eq!(store.get_range(range, tag).await.status(), status, "{range}");
    }
}

#[tokio::test]
async fn invalid_requests_get_the_error_codes_of_s3() {
    let store = Store::new().await;
    let unsigned = store.http.get(format!("{}/simulated-bucket/x", store.s3.url()));
    let other_bucket = store.http.get(format!("{}/other/x", store.s3.url()));
    let unknown_key = AUTHORIZATION.replace("simulated-key", "unknown-key");
    for (request, status, code) in [
        (unsigned, 403, "AccessDenied"),
        (other_bucket.header("authorization", AUTHORIZATION), 404, "NoSuchBucket"),
        (store.request(Method::GET, "/x"), 404, "NoSuchKey"),
        (store.request(Method::PUT, "/x?tagging="), 501, "NotImplemented"),
        (store.request(Method::GET, "?location="), 501, "NotImplemented"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let body = response.text().await.unwrap();
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
    }

    let unknown_signer = store.http.head(format!("{}/simulated-bucket/x", store.s3.url()));
    assert_eq!(
        unknown_signer.header("authorization", unknown_key).send().await.unwrap().status(),
        403
    );
    assert_eq!(store.request(Method::HEAD, "").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn objects_can_be_listed_by_folder_and_deleted() {
    let store = Store::new().await;
    for key in ["a/1", "a/2", "b%26c", "d"] {
        store.put_object(key, 5).await;
    }
    let list = async |query: &str| {
        store.request(Method::GET, query).send().await.unwrap().text().await.unwrap()
    };
    let root = list("?list-type=2&delimiter=%2F").await;
    assert!(root.contains("<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"), "{root}");
    assert!(root.contains("<Key>b&amp;c</Key>") && root.contains("<KeyCount>3</KeyCount>"));
    assert!(list("?list-type=2&prefix=a%2F2").await.contains("<Key>a/2</Key>"));

    for _ in 0..2 {
        assert_eq!(store.request(Method::DELETE, "/d").send().await.unwrap().status(), 204);
    }
    assert!(!list("?list-type=2").await.contains("<Key>d</Key>"));
}

#[tokio::test]
async fn bandwidth_is_limited_and_response_bodies_can_break() {
    let store = Store::new().await;
    store.put_object("slow", 400_000).await;
    store.post_admin("/shape", &json!({ "bytesPerSecond": 1_000_000, "delayMs": 100 })).await;
    let read = async || {
        let start = Instant::now();
        let response = store.request(Method::GET, "/slow").send().await.unwrap();
        (response.bytes().await, start.elapsed())
    };
    let (bytes, took) = read().await;
    assert_eq!(bytes.unwrap().len(), 400_000);
    // The latency is 100 ms. At 1 MB per second, 400,000 bytes take 400 ms.
    assert!(took > Duration::from_millis(480), "{took:?}");

    store.post_admin("/faults", &json!({ "operation": "getObject", "breakAfter": 0.5 })).await;
    assert!(read().await.0.is_err());
    assert_eq!(read().await.0.unwrap().len(), 400_000);

    let url = format!("{}/requests", store.s3.admin_url());
    let log: Value = store.http.get(&url).send().await.unwrap().json().await.unwrap();
    let log: Vec<_> =
        log.as_array().unwrap().iter().map(|entry| (&entry["status"], &entry["bytes"])).collect();
    let (whole, null) = (json!(400_000), Value::Null);
    assert_eq!(log, [(&json!(200), &whole), (&null, &json!(200_000)), (&json!(200), &whole)]);

    store.http.delete(&url).send().await.unwrap();
    assert_eq!(store.http.get(&url).send().await.unwrap().text().await.unwrap(), "[]");
}
