//! Tests of copying parts from objects.

use reqwest::Method;

use crate::support::{MIN_PART, Store, assert_refused, crc32, element, header};

const GIB: u64 = 1 << 30;

#[tokio::test]
async fn copied_ranges_and_uploaded_parts_make_up_one_object() {
    let store = Store::new().await;
    store.put_object("a%20b", 12_000_000).await;
    let source = store.read("a%20b").await;
    let mut upload = store.create("FULL_OBJECT").await;
    upload.put_part(1, source[..MIN_PART].to_vec()).await;
    let body = upload.copy(2, "a%20b", Some("bytes=5242880-11999999")).await;
    assert_eq!(element(&body, "ChecksumCRC32").unwrap(), crc32(&source[MIN_PART..]));
    assert!(element(&body, "LastModified").unwrap().ends_with('Z'));
    upload.put_part(3, b"end".to_vec()).await;

    let expected = [&source[..], b"end"].concat();
    let completion = upload
        .completion()
        .header("x-amz-checksum-type", "FULL_OBJECT")
        .header("x-amz-checksum-crc32", crc32(&expected))
        .header("x-amz-mp-object-size", expected.len());
    let response = completion.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.text().await.unwrap();
    assert_eq!(element(&body, "ChecksumCRC32").unwrap(), crc32(&expected));
    assert_eq!(element(&body, "ChecksumType").unwrap(), "FULL_OBJECT");
    assert!(element(&body, "ETag").unwrap().ends_with("-3&quot;"), "{body}");
    assert!(store.read("zip").await == expected);

    let head = store.request(Method::HEAD, "/zip").header("x-amz-checksum-mode", "ENABLED");
    let head = head.send().await.unwrap();
    assert_eq!(header(&head, "x-amz-checksum-crc32"), crc32(&expected));
}

#[tokio::test]
async fn fifteen_gib_are_copied_without_reading_them() {
    let store = Store::new().await;
    store.put_object("large", 5 * GIB).await;
    let mut upload = store.create("FULL_OBJECT").await;
    for number in 1..=3 {
        upload.copy(number, "large", None).await;
    }
    let completion = upload.completion().header("x-amz-mp-object-size", 15 * GIB);
    assert_eq!(completion.send().await.unwrap().status(), 200);
    let range = format!("bytes={}-{}", 10 * GIB - 2, 10 * GIB + 1);
    let read = async |key: &str, range: &str| {
        let request = store.request(Method::GET, key).header("range", range);
        request.send().await.unwrap().bytes().await.unwrap()
    };
    let across = read("/zip", &range).await;
    assert_eq!(across[..2], read("/large", "bytes=-2").await);
    assert_eq!(across[2..], read("/large", "bytes=0-1").await);
}

#[tokio::test]
async fn source_is_checked_before_it_is_copied() {
    let store = Store::new().await;
    let object = store.put_object("source", 6 << 20).await;
    let upload = store.create("FULL_OBJECT").await;
    let copy = |name: &str, value: &str| upload.copy_request(1, "source", None).header(name, value);
    let condition = "x-amz-copy-source-if-match";
    assert_refused(copy(condition, "\"other\""), 412, "PreconditionFailed").await;
    let same = copy(condition, object["etag"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(same.status(), 200);
    let unsupported = copy("x-amz-copy-source-if-none-match", "\"other\"");
    assert_refused(unsupported, 501, "NotImplemented").await;
    assert_refused(upload.copy_request(1, "missing", None), 404, "NoSuchKey").await;

    let from = |source: &str| {
        let request = upload.request(Method::PUT, "&partNumber=1");
        request.header("x-amz-copy-source", source)
    };
    assert_refused(from("other-bucket/source"), 404, "NoSuchBucket").await;
    assert_refused(from("source"), 400, "InvalidArgument").await;
    assert_refused(upload.copy_request(10_001, "source", None), 400, "InvalidArgument").await;
    assert_eq!(from("/simulated-bucket/source").send().await.unwrap().status(), 200);

    let replaced = store.admin(Method::POST, "/replace/source").await;
    assert_eq!(replaced["size"], object["size"]);
    let stale = copy(condition, object["etag"].as_str().unwrap());
    assert_refused(stale, 412, "PreconditionFailed").await;
}

#[tokio::test]
async fn ranges_must_be_exact_and_the_source_large() {
    let store = Store::new().await;
    store.put_object("small", 5 << 20).await;
    store.put_object("large", (5 << 20) + 1).await;
    store.put_object("huge", 6 * GIB).await;
    let upload = store.create("FULL_OBJECT").await;
    for range in [
        "bytes=0-5242881",
        "bytes=5242881-5242881",
        "bytes=2-1",
        "bytes=0-",
        "bytes=-5",
        "bytes=0-1,3-4",
        "bytes=+0-1",
        "0-1",
    ] {
        let request = upload.copy_request(1, "large", Some(range));
        assert_refused(request, 400, "InvalidArgument").await;
    }
    let request = upload.copy_request(1, "small", Some("bytes=0-5242879"));
    assert_refused(request, 400, "InvalidRequest").await;
    let too_long = format!("bytes=0-{}", 5 * GIB);
    for range in [None, Some(too_long.as_str())] {
        assert_refused(upload.copy_request(1, "huge", range), 400, "InvalidRequest").await;
    }
    let longest = format!("bytes=1-{}", 5 * GIB);
    for (key, range) in [
        ("small", None),
        ("large", Some("bytes=5242880-5242880")),
        ("huge", Some(longest.as_str())),
    ] {
        let response = upload.copy_request(1, key, range).send().await.unwrap();
        assert_eq!(response.status(), 200, "{key}");
    }
}

#[tokio::test]
async fn copied_part_has_the_checksum_of_the_corrupted_bytes() {
    let store = Store::new().await;
    let before = store.put_object("source", 6 << 20).await;
    let after = store.admin(Method::POST, "/flip/source?offset=6000000&bit=7").await;
    for field in ["etag", "checksumCrc32", "checksumType", "size"] {
        assert_eq!(after[field], before[field]);
    }
    assert_ne!(after["contentCrc32"], before["contentCrc32"]);
    let bytes = store.read("source").await;
    assert_eq!(after["contentCrc32"].as_str().unwrap(), crc32(&bytes));

    let mut upload = store.create("FULL_OBJECT").await;
    let body = upload.copy(1, "source", None).await;
    assert_eq!(element(&body, "ChecksumCRC32").unwrap(), crc32(&bytes));
    let completion = upload
        .completion()
        .header("x-amz-checksum-crc32", before["checksumCrc32"].as_str().unwrap());
    assert_refused(completion, 400, "BadDigest").await;
}
