//! Tests of completing uploads.

use reqwest::Method;

use crate::support::{MIN_PART, Store, Upload, assert_refused, crc32, element, header, part};

/// Bytes of the two parts.
static FIRST: [u8; MIN_PART] = [1; MIN_PART];
const LAST: &[u8] = b"last";

/// Creates an upload with two parts.
async fn with_two_parts<'a>(store: &'a Store, checksum_type: &str) -> Upload<'a> {
    let mut upload = store.create(checksum_type).await;
    upload.put_part(1, FIRST.to_vec()).await;
    upload.put_part(2, LAST.to_vec()).await;
    upload
}

#[tokio::test]
async fn completed_upload_does_not_exist_any_more() {
    let store = Store::new().await;
    let upload = with_two_parts(&store, "FULL_OBJECT").await;
    assert_eq!(upload.completion().send().await.unwrap().status(), 200);
    assert_refused(upload.completion(), 404, "NoSuchUpload").await;
    assert_refused(upload.request(Method::DELETE, ""), 404, "NoSuchUpload").await;
    assert_eq!(store.read("zip").await.len(), MIN_PART + LAST.len());
}

#[tokio::test]
async fn wrong_size_checksum_or_type_is_refused() {
    let store = Store::new().await;
    let upload = with_two_parts(&store, "FULL_OBJECT").await;
    for (name, value, code) in [
        ("x-amz-mp-object-size", "5242885", "InvalidRequest"),
        ("x-amz-mp-object-size", "x", "InvalidRequest"),
        ("x-amz-checksum-crc32", "AAAAAA==", "BadDigest"),
        ("x-amz-checksum-crc32", "x", "InvalidRequest"),
        ("x-amz-checksum-type", "COMPOSITE", "InvalidRequest"),
        ("x-amz-checksum-type", "OTHER", "InvalidRequest"),
    ] {
        assert_refused(upload.completion().header(name, value), 400, code).await;
    }
    assert_refused(upload.request(Method::POST, "").body("<x/>"), 400, "MalformedXML").await;
    let completion = upload
        .completion()
        .header("x-amz-mp-object-size", "5242884")
        .header("x-amz-checksum-crc32", crc32(&[&FIRST, LAST].concat()))
        .header("x-amz-checksum-type", "FULL_OBJECT");
    assert_eq!(completion.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn listed_parts_must_exist_and_match() {
    let store = Store::new().await;
    let mut upload = with_two_parts(&store, "FULL_OBJECT").await;
    let [first, last] = [upload.listed[0].clone(), upload.listed[1].clone()];
    let etag = element(&last, "ETag").unwrap();
    for (listed, code) in [
        (vec![last.clone(), first.clone()], "InvalidPartOrder"),
        (vec![first.clone(), first.clone()], "InvalidPartOrder"),
        (vec![last.clone()], "InvalidPartOrder"),
        (vec![first.clone(), part(2, "\"other\"", None)], "InvalidPart"),
        (vec![first.clone(), part(2, &etag, Some("AAAAAA=="))], "InvalidPart"),
        (vec![first.clone(), last.clone(), part(3, &etag, None)], "InvalidPart"),
        (vec![], "MalformedXML"),
    ] {
        upload.listed = listed;
        assert_refused(upload.completion(), 400, code).await;
    }
    // The checksums of the parts are optional for a full object checksum, and so are quotes.
    upload.listed = vec![first, part(2, etag.trim_matches('"'), None)];
    assert_eq!(upload.completion().send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn small_part_is_allowed_only_at_the_end() {
    let store = Store::new().await;
    let mut upload = store.create("FULL_OBJECT").await;
    upload.put_part(1, FIRST[1..].to_vec()).await;
    upload.put_part(2, LAST.to_vec()).await;
    assert_refused(upload.completion(), 400, "EntityTooSmall").await;
    upload.listed.pop();
    assert_eq!(upload.completion().send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn gaps_in_part_numbers_are_allowed_only_without_a_checksum() {
    let store = Store::new().await;
    for checksum_type in ["FULL_OBJECT", "COMPOSITE"] {
        let mut upload = store.create(checksum_type).await;
        upload.put_part(1, FIRST.to_vec()).await;
        upload.put_part(3, LAST.to_vec()).await;
        assert_refused(upload.completion(), 400, "InvalidPartOrder").await;
    }
    let mut upload = store.create_without_checksum().await;
    for (number, bytes) in [(2, FIRST.to_vec()), (5, LAST.to_vec())] {
        let request = upload.request(Method::PUT, &format!("&partNumber={number}"));
        let response = request.body(bytes).send().await.unwrap();
        assert!(!response.headers().contains_key("x-amz-checksum-crc32"));
        upload.listed.push(part(number, header(&response, "etag"), None));
    }
    let response = upload.completion().send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(element(&response.text().await.unwrap(), "ChecksumCRC32"), None);
}

#[tokio::test]
async fn composite_checksum_is_that_of_the_part_checksums() {
    let store = Store::new().await;
    let mut upload = with_two_parts(&store, "COMPOSITE").await;
    let crcs = [crc32fast::hash(&FIRST), crc32fast::hash(LAST)].map(u32::to_be_bytes);
    let expected = format!("{}-2", crc32(&crcs.concat()));
    let full_object = crc32(&[&FIRST, LAST].concat());
    let completion = upload.completion().header("x-amz-checksum-crc32", full_object);
    assert_refused(completion, 400, "BadDigest").await;

    let with_checksums = upload.listed.clone();
    let etag = element(&with_checksums[1], "ETag").unwrap();
    upload.listed[1] = part(2, &etag, None);
    assert_refused(upload.completion(), 400, "InvalidRequest").await;

    upload.listed = with_checksums;
    let response = upload.completion().send().await.unwrap();
    let body = response.text().await.unwrap();
    assert_eq!(element(&body, "ChecksumCRC32"), Some(expected.clone()));
    let head = store.request(Method::HEAD, "/zip").header("x-amz-checksum-mode", "ENABLED");
    let head = head.send().await.unwrap();
    assert_eq!(header(&head, "x-amz-checksum-crc32"), expected);
    assert_eq!(header(&head, "x-amz-checksum-type"), "COMPOSITE");
}

#[tokio::test]
async fn replaced_part_has_a_new_etag() {
    let store = Store::new().await;
    let mut upload = with_two_parts(&store, "FULL_OBJECT").await;
    let listed = upload.listed.clone();
    upload.put_part(2, b"other".to_vec()).await;
    let replaced = upload.listed.pop().unwrap();
    assert_refused(upload.completion(), 400, "InvalidPart").await;
    upload.listed = vec![listed[0].clone(), replaced];
    assert_eq!(upload.completion().send().await.unwrap().status(), 200);
    assert_eq!(store.read("zip").await[MIN_PART..], *b"other");
}

#[tokio::test]
async fn conditional_completion_keeps_an_existing_object() {
    let store = Store::new().await;
    store.put_object("zip", 1).await;
    let upload = with_two_parts(&store, "FULL_OBJECT").await;
    let completion = upload.completion().header("if-none-match", "*");
    assert_refused(completion, 412, "PreconditionFailed").await;
    assert_eq!(upload.completion().send().await.unwrap().status(), 200);
}
