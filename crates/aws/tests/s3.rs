//! Tests of the exchange bucket against the emulator's S3.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use aws_sdk_s3::primitives::ByteStream;
use docferry_app::ports::{Staging as _, StagingError};
use docferry_aws::S3Staging;
use docferry_aws::s3::{S3Settings, client};
use futures::TryStreamExt as _;

use support::emulator;

fn settings(endpoint: &str) -> S3Settings {
    S3Settings {
        region: "us-east-1".into(),
        endpoint_url: Some(endpoint.into()),
        path_style: true,
        access_key_id: "test".into(),
        secret_access_key: "test".into(),
        stall: S3Settings::STALL,
    }
}

/// Creates a bucket; returns its adapter, and a client and the bucket's name to fill it.
async fn bucket(endpoint: &str) -> (S3Staging, aws_sdk_s3::Client, String) {
    let client = client(&settings(endpoint));
    let name = support::random_name("exchange");
    client.create_bucket().bucket(&name).send().await.unwrap();
    (S3Staging::new(client.clone(), &name), client, name)
}

async fn put(client: &aws_sdk_s3::Client, bucket: &str, key: &str, bytes: &[u8]) {
    let body = ByteStream::from(bytes.to_vec());
    client.put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
}

async fn read(staging: &S3Staging, key: &str, etag: &str, range: std::ops::Range<u64>) -> Vec<u8> {
    let stream = staging.read(key, etag, range).await.unwrap();
    stream.map_ok(Vec::from).try_concat().await.unwrap()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn an_object_is_found_once_it_is_there_and_is_not_older_than_the_stores_time() {
    let Some(emulator) = emulator() else { return };
    let (staging, client, bucket) = bucket(&emulator).await;
    assert_eq!(staging.head("a.pdf").await.unwrap(), None);
    let before = staging.store_time().await.unwrap();
    put(&client, &bucket, "a.pdf", b"12345").await;
    let head = staging.head("a.pdf").await.unwrap().unwrap();
    assert_eq!(head.size, 5);
    assert!(head.etag.starts_with('"'), "{}", head.etag);
    assert!(head.last_modified >= before, "{} < {before}", head.last_modified);
}

#[tokio::test]
async fn exactly_the_range_is_read_whatever_the_key_looks_like() {
    let Some(emulator) = emulator() else { return };
    let (staging, client, bucket) = bucket(&emulator).await;
    let bytes = pattern(3_000_000);
    for key in ["plain.pdf", "a b/#1 + 50%?&=.pdf", "../up.pdf", "法廷 l'été.pdf"] {
        put(&client, &bucket, key, &bytes).await;
        let etag = staging.head(key).await.unwrap().unwrap().etag;
        assert_eq!(read(&staging, key, &etag, 0..3_000_000).await, bytes);
        assert_eq!(read(&staging, key, &etag, 1..2).await, bytes[1..2]);
        assert_eq!(read(&staging, key, &etag, 327_680..2_999_999).await, bytes[327_680..2_999_999]);
        staging.delete(key).await.unwrap();
        assert_eq!(staging.head(key).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_replaced_a_shorter_and_a_deleted_object_are_told_apart() {
    let Some(emulator) = emulator() else { return };
    let (staging, client, bucket) = bucket(&emulator).await;
    put(&client, &bucket, "k", b"12345").await;
    let etag = staging.head("k").await.unwrap().unwrap().etag;
    for range in [3..9, 7..9] {
        let shorter = staging.read("k", &etag, range).await.err();
        assert!(matches!(shorter, Some(StagingError::Gone)), "{shorter:?}");
    }
    put(&client, &bucket, "k", b"54321").await;
    let replaced = staging.read("k", &etag, 0..5).await.err();
    assert!(matches!(replaced, Some(StagingError::Changed)), "{replaced:?}");
    staging.delete("k").await.unwrap();
    let gone = staging.read("k", &etag, 0..5).await.err();
    assert!(matches!(gone, Some(StagingError::Gone)), "{gone:?}");
}

#[tokio::test]
async fn deleting_twice_is_fine() {
    let Some(emulator) = emulator() else { return };
    let (staging, client, bucket) = bucket(&emulator).await;
    put(&client, &bucket, "k", b"1").await;
    staging.delete("k").await.unwrap();
    staging.delete("k").await.unwrap();
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_not_taken_for_an_object_that_is_gone() {
    let Some(emulator) = emulator() else { return };
    let staging = S3Staging::new(client(&settings(&emulator)), support::random_name("none"));
    let time = staging.store_time().await;
    assert!(matches!(time, Err(StagingError::Unavailable(_))), "{time:?}");
    let read = staging.read("k", "\"e\"", 0..5).await.err();
    assert!(matches!(read, Some(StagingError::Unavailable(_))), "{read:?}");
}
