//! Tests of the adapter for the exchange bucket against the emulator's S3.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use aws_sdk_s3::primitives::ByteStream;
use docferry_app::ports::{ExchangeError, ExchangeStore as _};
use docferry_aws::S3ExchangeStore;
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

/// Creates a bucket. Returns its adapter, and a client and the name of the bucket, with which a
/// test writes objects.
async fn bucket(endpoint: &str) -> (S3ExchangeStore, aws_sdk_s3::Client, String) {
    let client = client(&settings(endpoint));
    let name = support::random_name("exchange");
    client.create_bucket().bucket(&name).send().await.unwrap();
    (S3ExchangeStore::new(client.clone(), &name), client, name)
}

async fn put(client: &aws_sdk_s3::Client, bucket: &str, key: &str, bytes: &[u8]) {
    let body = ByteStream::from(bytes.to_vec());
    client.put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
}

async fn read(
    exchange: &S3ExchangeStore,
    key: &str,
    etag: &str,
    range: std::ops::Range<u64>,
) -> Vec<u8> {
    let stream = exchange.read(key, etag, range).await.unwrap();
    stream.map_ok(Vec::from).try_concat().await.unwrap()
}

/// Returns bytes of which neighboring ranges differ.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

#[tokio::test]
async fn arrived_object_is_not_older_than_the_store_time_before() {
    let Some(emulator) = emulator() else { return };
    let (exchange, client, bucket) = bucket(&emulator).await;
    assert_eq!(exchange.head("a.pdf").await.unwrap(), None);
    let before = exchange.store_time().await.unwrap();
    put(&client, &bucket, "a.pdf", b"12345").await;
    let head = exchange.head("a.pdf").await.unwrap().unwrap();
    assert_eq!(head.size, 5);
    assert!(head.etag.starts_with('"'), "{}", head.etag);
    assert!(head.last_modified >= before, "{} < {before}", head.last_modified);
}

#[tokio::test]
async fn exact_range_is_read_for_keys_with_special_characters() {
    let Some(emulator) = emulator() else { return };
    let (exchange, client, bucket) = bucket(&emulator).await;
    let bytes = pattern(3_000_000);
    // 327,680 bytes (320 KiB) is the unit in which a OneDrive accepts fragments.
    for key in ["plain.pdf", "a b/#1 + 50%?&=.pdf", "../up.pdf", "法廷 l'été.pdf"] {
        put(&client, &bucket, key, &bytes).await;
        let etag = exchange.head(key).await.unwrap().unwrap().etag;
        assert_eq!(read(&exchange, key, &etag, 0..3_000_000).await, bytes);
        assert_eq!(read(&exchange, key, &etag, 1..2).await, bytes[1..2]);
        assert_eq!(
            read(&exchange, key, &etag, 327_680..2_999_999).await,
            bytes[327_680..2_999_999]
        );
        exchange.delete(key).await.unwrap();
        assert_eq!(exchange.head(key).await.unwrap(), None);
    }
}

#[tokio::test]
async fn replaced_shorter_and_deleted_objects_are_distinguished() {
    let Some(emulator) = emulator() else { return };
    let (exchange, client, bucket) = bucket(&emulator).await;
    put(&client, &bucket, "k", b"12345").await;
    let etag = exchange.head("k").await.unwrap().unwrap().etag;
    for range in [3..9, 7..9] {
        let shorter = exchange.read("k", &etag, range).await.err();
        assert!(matches!(shorter, Some(ExchangeError::Gone)), "{shorter:?}");
    }
    put(&client, &bucket, "k", b"54321").await;
    let replaced = exchange.read("k", &etag, 0..5).await.err();
    assert!(matches!(replaced, Some(ExchangeError::Changed)), "{replaced:?}");
    exchange.delete("k").await.unwrap();
    let gone = exchange.read("k", &etag, 0..5).await.err();
    assert!(matches!(gone, Some(ExchangeError::Gone)), "{gone:?}");
}

#[tokio::test]
async fn deleting_an_object_twice_succeeds() {
    let Some(emulator) = emulator() else { return };
    let (exchange, client, bucket) = bucket(&emulator).await;
    put(&client, &bucket, "k", b"1").await;
    exchange.delete("k").await.unwrap();
    exchange.delete("k").await.unwrap();
}

#[tokio::test]
async fn missing_bucket_is_not_reported_as_a_missing_object() {
    let Some(emulator) = emulator() else { return };
    let exchange = S3ExchangeStore::new(client(&settings(&emulator)), support::random_name("none"));
    let time = exchange.store_time().await;
    assert!(matches!(time, Err(ExchangeError::Unavailable(_))), "{time:?}");
    let read = exchange.read("k", "\"e\"", 0..5).await.err();
    assert!(matches!(read, Some(ExchangeError::Unavailable(_))), "{read:?}");
}
