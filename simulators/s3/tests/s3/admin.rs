//! Tests of the admin interface: changed objects, unfinished uploads, and counters.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{MIN_PART, Store, crc32};

#[tokio::test]
async fn traffic_is_counted_for_each_operation() {
    let store = Store::new().await;
    store.put_object("source", 6_000_000).await;
    let mut upload = store.create("FULL_OBJECT").await;
    upload.copy(1, "source", None).await;
    upload.put_part(2, b"directory".to_vec()).await;
    assert_eq!(upload.completion().send().await.unwrap().status(), 200);
    let range = store.request(Method::GET, "/zip").header("range", "bytes=5999998-6000003");
    assert_eq!(range.send().await.unwrap().bytes().await.unwrap().len(), 6);

    let traffic = store.admin(Method::GET, "/traffic").await;
    for (operation, request_bytes) in
        [("createMultipartUpload", 0), ("uploadPartCopy", 0), ("uploadPart", 9), ("getObject", 0)]
    {
        assert_eq!(traffic[operation]["calls"], 1, "{operation}");
        assert_eq!(traffic[operation]["requestBytes"], request_bytes, "{operation}");
    }
    assert_eq!(traffic["getObject"]["responseBytes"], 6);
    assert_eq!(traffic["uploadPart"]["responseBytes"], 0);
    assert!(traffic["uploadPartCopy"]["responseBytes"].as_u64() > Some(100), "{traffic}");
    assert!(traffic["completeMultipartUpload"]["requestBytes"].as_u64() > Some(100), "{traffic}");
    assert_eq!(store.admin(Method::DELETE, "/traffic").await, json!({}));

    let log = store.admin(Method::GET, "/requests").await;
    assert_eq!(log[2]["operation"], "uploadPart");
    assert_eq!((&log[2]["bytes"], &log[2]["status"]), (&json!(9), &json!(200)));
}

#[tokio::test]
async fn unfinished_uploads_are_listed_with_their_parts() {
    let store = Store::new().await;
    let mut upload = store.create("FULL_OBJECT").await;
    upload.put_part(1, vec![0; MIN_PART]).await;
    let uploads = store.admin(Method::GET, "/uploads").await;
    assert_eq!(uploads[0]["key"], "zip");
    assert_eq!(uploads[0]["uploadId"], upload.id);
    assert_eq!(uploads[0]["checksumType"], "FULL_OBJECT");
    let part = &uploads[0]["parts"][0];
    assert_eq!((&part["partNumber"], &part["size"]), (&json!(1), &json!(MIN_PART)));
    assert_eq!(part["checksumCrc32"], crc32(&vec![0; MIN_PART]));
    upload.request(Method::DELETE, "").send().await.unwrap();
    assert_eq!(store.admin(Method::GET, "/uploads").await, json!([]));
}

#[tokio::test]
async fn uploaded_objects_can_be_corrupted_and_replaced() {
    let store = Store::new().await;
    let put = store.request(Method::PUT, "/x").header("x-amz-checksum-crc32", crc32(b"hello"));
    assert_eq!(put.body("hello").send().await.unwrap().status(), 200);
    let flipped = store.admin(Method::POST, "/flip/x?offset=1").await;
    assert_eq!(flipped["checksumCrc32"], crc32(b"hello"));
    assert_eq!(flipped["contentCrc32"], crc32(b"hdllo"));
    assert_eq!((&flipped["size"], &flipped["seed"]), (&json!(5), &Value::Null));
    assert_eq!(store.read("x").await, b"hdllo");

    let replaced = store.admin(Method::POST, "/replace/x").await;
    assert_ne!(replaced["etag"], flipped["etag"]);
    assert_eq!(replaced["checksumCrc32"], replaced["contentCrc32"]);
    let post = async |path: &str| {
        let url = format!("{}{path}", store.s3.admin_url());
        store.http.post(url).send().await.unwrap().status()
    };
    assert_eq!(post("/flip/x?offset=5").await, 400);
    assert_eq!(post("/flip/missing?offset=0").await, 400);
}

#[tokio::test]
async fn generated_object_can_lack_a_checksum() {
    let store = Store::new().await;
    let object = store.admin(Method::PUT, "/objects/x?size=5&checksum=false").await;
    assert_eq!(object["checksumCrc32"], Value::Null);
    let head = store.request(Method::HEAD, "/x").header("x-amz-checksum-mode", "ENABLED");
    assert!(!head.send().await.unwrap().headers().contains_key("x-amz-checksum-crc32"));
}
