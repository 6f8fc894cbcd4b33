//! Tests of `PutObject`, and of checksums in responses.

use reqwest::Method;

use crate::support::{Store, assert_refused, crc32, header};

#[tokio::test]
async fn put_object_is_returned_with_its_headers_and_checksum() {
    let store = Store::new().await;
    let put = store
        .request(Method::PUT, "/a%20b")
        .header("content-type", "text/plain")
        .header("content-disposition", "attachment; filename=\"x\"")
        .header("x-amz-meta-origin", "test")
        .header("x-amz-checksum-crc32", crc32(b"hello"))
        .body("hello");
    let response = put.send().await.unwrap();
    assert_eq!(response.status(), 200);
    // The MD5 of the bytes.
    assert_eq!(header(&response, "etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(header(&response, "x-amz-checksum-crc32"), "NhCmhg==");
    assert_eq!(header(&response, "x-amz-checksum-type"), "FULL_OBJECT");

    let read = async |method, mode: Option<&str>, range: Option<&str>| {
        let mut request = store.request(method, "/a%20b");
        for (name, value) in [("x-amz-checksum-mode", mode), ("range", range)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request.send().await.unwrap()
    };
    for method in [Method::HEAD, Method::GET] {
        let response = read(method.clone(), Some("ENABLED"), None).await;
        for (name, value) in [
            ("content-type", "text/plain"),
            ("content-disposition", "attachment; filename=\"x\""),
            ("x-amz-meta-origin", "test"),
            ("x-amz-checksum-crc32", "NhCmhg=="),
            ("x-amz-checksum-type", "FULL_OBJECT"),
        ] {
            assert_eq!(header(&response, name), value);
        }
        for (mode, range) in [(None, None), (Some("ENABLED"), Some("bytes=0-1"))] {
            let response = read(method.clone(), mode, range).await;
            assert!(!response.headers().contains_key("x-amz-checksum-crc32"));
        }
    }
    assert_eq!(store.read("a%20b").await, b"hello");
}

#[tokio::test]
async fn body_with_a_wrong_digest_is_refused() {
    let store = Store::new().await;
    let other_sha256 = "0".repeat(64);
    for (name, value, status, code) in [
        ("x-amz-checksum-crc32", "AAAAAA==", 400, "BadDigest"),
        ("x-amz-checksum-crc32", "AAAA", 400, "InvalidRequest"),
        ("x-amz-checksum-sha256", "AAAA", 501, "NotImplemented"),
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkw==", 400, "BadDigest"),
        ("content-md5", "AAAA", 400, "InvalidDigest"),
        ("x-amz-content-sha256", &other_sha256, 400, "XAmzContentSHA256Mismatch"),
        ("x-amz-sdk-checksum-algorithm", "CRC32", 400, "InvalidRequest"),
        ("x-amz-checksum-type", "COMPOSITE", 400, "InvalidRequest"),
    ] {
        let request = store.request(Method::PUT, "/x").header(name, value).body("hello");
        assert_refused(request, status, code).await;
    }
    assert_eq!(store.request(Method::HEAD, "/x").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn chunked_body_is_checked_against_its_trailer() {
    let store = Store::new().await;
    let put = |decoded_length: u64, crc: &str, trailer: &str| {
        let body = format!("3\r\nhel\r\n2\r\nlo\r\n0\r\n{trailer}:{crc}\r\n\r\n");
        store
            .request(Method::PUT, "/x")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-sdk-checksum-algorithm", "CRC32")
            .header("x-amz-trailer", "x-amz-checksum-crc32")
            .header("x-amz-decoded-content-length", decoded_length)
            .body(body)
    };
    let name = "x-amz-checksum-crc32";
    assert_refused(put(5, "AAAAAA==", name), 400, "BadDigest").await;
    assert_refused(put(6, "NhCmhg==", name), 400, "IncompleteBody").await;
    assert_refused(put(5, "NhCmhg==", "other"), 400, "MalformedTrailerError").await;
    assert_eq!(put(5, "NhCmhg==", name).send().await.unwrap().status(), 200);
    assert_eq!(store.read("x").await, b"hello");
    let head = store.request(Method::HEAD, "/x").send().await.unwrap();
    assert_eq!(header(&head, "content-type"), "binary/octet-stream");
    assert!(!head.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn conditional_put_depends_on_the_current_object() {
    let store = Store::new().await;
    let put = |name: &str, value: &str| {
        store.request(Method::PUT, "/x").header(name, value).body("hello")
    };
    assert_refused(put("if-match", "\"a\""), 404, "NoSuchKey").await;
    assert_eq!(put("if-none-match", "*").send().await.unwrap().status(), 200);
    assert_refused(put("if-none-match", "*"), 412, "PreconditionFailed").await;
    assert_refused(put("if-match", "\"a\""), 412, "PreconditionFailed").await;
    let tag = "\"5d41402abc4b2a76b9719d911017c592\"";
    assert_eq!(put("if-match", tag).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn copied_object_is_not_simulated() {
    let store = Store::new().await;
    let request = store.request(Method::PUT, "/x");
    let request = request.header("x-amz-copy-source", "simulated-bucket/y");
    assert_refused(request, 501, "NotImplemented").await;
}
