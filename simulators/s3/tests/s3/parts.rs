//! Tests of creating uploads, uploading parts and aborting uploads.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use docferry_sim_s3::Config;
use reqwest::Method;

use crate::support::{AUTHORIZATION, Store, assert_refused, crc32, element, header};

#[tokio::test]
async fn created_upload_echoes_its_checksum() {
    let store = Store::new().await;
    for (asked, answered) in [
        (Some("FULL_OBJECT"), "FULL_OBJECT"),
        (Some("COMPOSITE"), "COMPOSITE"),
        (None, "COMPOSITE"),
    ] {
        let mut request = store.request(Method::POST, "/zip?uploads");
        request = request.header("x-amz-checksum-algorithm", "CRC32");
        if let Some(asked) = asked {
            request = request.header("x-amz-checksum-type", asked);
        }
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "x-amz-checksum-algorithm"), "CRC32");
        assert_eq!(header(&response, "x-amz-checksum-type"), answered);
    }
    let request = || store.request(Method::POST, "/zip?uploads");
    for (name, value, status, code) in [
        ("x-amz-checksum-type", "FULL_OBJECT", 400, "InvalidRequest"),
        ("x-amz-checksum-type", "OTHER", 400, "InvalidRequest"),
        ("x-amz-checksum-algorithm", "MD4", 400, "InvalidRequest"),
        ("x-amz-checksum-algorithm", "SHA256", 501, "NotImplemented"),
    ] {
        assert_refused(request().header(name, value), status, code).await;
    }
}

#[tokio::test]
async fn simulator_can_offer_composite_checksums_only() {
    let config = Config { composite_checksums_only: true, ..Config::default() };
    let store = Store::with_config(config).await;
    let mut upload = store.create("FULL_OBJECT").await;
    upload.put_part(1, b"hello".to_vec()).await;
    let list = upload.request(Method::GET, "").send().await.unwrap().text().await.unwrap();
    assert_eq!(element(&list, "ChecksumType").as_deref(), Some("COMPOSITE"));
    let completion = upload.completion().header("x-amz-checksum-type", "FULL_OBJECT");
    assert_refused(completion, 400, "InvalidRequest").await;
    let completion = upload.completion().header("x-amz-checksum-crc32", crc32(b"hello"));
    assert_refused(completion, 400, "BadDigest").await;
    let completion = upload.completion().header("x-amz-mp-object-size", 5);
    assert_eq!(completion.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn checksum_of_a_part_is_verified() {
    let store = Store::new().await;
    let upload = store.create("FULL_OBJECT").await;
    let part = || upload.request(Method::PUT, "&partNumber=1").body("hello");
    assert_refused(part().header("x-amz-checksum-crc32", "AAAAAA=="), 400, "BadDigest").await;
    // S3 computes a missing checksum.
    let response = part().send().await.unwrap();
    assert_eq!(header(&response, "x-amz-checksum-crc32"), "NhCmhg==");
    assert_eq!(header(&response, "etag"), "\"5d41402abc4b2a76b9719d911017c592\"");

    let composite = store.create("COMPOSITE").await;
    let part = composite.request(Method::PUT, "&partNumber=1").body("hello");
    assert_refused(part, 400, "InvalidRequest").await;
}

#[tokio::test]
async fn part_with_a_checksum_needs_an_upload_with_one() {
    let store = Store::new().await;
    let upload = store.create_without_checksum().await;
    let request = upload.request(Method::PUT, "&partNumber=1").body("hello");
    assert_refused(request.header("x-amz-checksum-crc32", crc32(b"hello")), 400, "InvalidRequest")
        .await;
}

#[tokio::test]
async fn part_numbers_are_limited() {
    let store = Store::new().await;
    let upload = store.create("FULL_OBJECT").await;
    for number in ["0", "10001", "-1", "x", ""] {
        let request = upload.request(Method::PUT, &format!("&partNumber={number}")).body("x");
        assert_refused(request, 400, "InvalidArgument").await;
    }
    let request = upload.request(Method::PUT, "&partNumber=10000").body("x");
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn part_of_more_than_five_gib_is_refused() {
    let store = Store::new().await;
    let upload = store.create("FULL_OBJECT").await;
    let address = store.s3.url().trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).unwrap();
    let head = format!(
        "PUT /simulated-bucket/zip?partNumber=1&uploadId={} HTTP/1.1\r\nhost: s3\r\n\
         authorization: {AUTHORIZATION}\r\ncontent-length: {}\r\n\r\n",
        upload.id,
        (5_u64 << 30) + 1
    );
    connection.write_all(head.as_bytes()).unwrap();
    let response = tokio::task::spawn_blocking(move || {
        let mut response = String::new();
        // The simulator closes the connection, because it has not read the body.
        let _closed = connection.read_to_string(&mut response);
        response
    });
    let response = response.await.unwrap();
    assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    assert_eq!(element(&response, "Code").as_deref(), Some("EntityTooLarge"));
}

#[tokio::test]
async fn body_without_a_length_is_refused() {
    let store = Store::new().await;
    let body = reqwest::Body::wrap_stream(futures::stream::iter([Ok::<_, std::io::Error>("x")]));
    let request = store.request(Method::PUT, "/x").body(body);
    assert_refused(request, 411, "MissingContentLength").await;
}

#[tokio::test]
async fn aborted_and_unknown_uploads_do_not_exist() {
    let store = Store::new().await;
    let mut upload = store.create("FULL_OBJECT").await;
    upload.put_part(1, b"hello".to_vec()).await;
    let other_key = store.request(Method::DELETE, &format!("/other?uploadId={}", upload.id));
    assert_refused(other_key, 404, "NoSuchUpload").await;
    let abort = upload.request(Method::DELETE, "").send().await.unwrap();
    assert_eq!(abort.status(), 204);

    store.put_object("source", 10).await;
    let part = upload.request(Method::PUT, "&partNumber=1").body("x");
    for request in [
        part,
        upload.copy_request(1, "source", None),
        upload.request(Method::GET, ""),
        upload.completion(),
        upload.request(Method::DELETE, ""),
    ] {
        assert_refused(request, 404, "NoSuchUpload").await;
    }
}
