//! Tests of the KMS sealer, which encrypts upload URLs, against the emulator's KMS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use docferry_app::ports::{SealError, Sealer as _, UploadUrl};
use docferry_aws::KmsSealer;

use support::emulator;

/// Length of the longest URL that KMS can encrypt.
const MAX_URL_BYTES: usize = 4096;

const URL: &str = "https://drive.example/up?token=3q2-7w";

async fn sealer(endpoint: &str) -> KmsSealer {
    let client = aws_sdk_kms::Client::new(&support::config(endpoint).await);
    let key = client.create_key().send().await.unwrap().key_metadata.unwrap();
    KmsSealer::new(client, key.arn.unwrap())
}

#[tokio::test]
async fn sealed_url_opens_only_for_its_own_transfer() {
    let Some(emulator) = emulator() else { return };
    let sealer = sealer(&emulator).await;
    let (own_transfer, other_transfer) = (support::random_id(), support::random_id());
    let sealed = sealer.seal(&own_transfer, &UploadUrl::new(URL)).await.unwrap();
    assert!(!sealed.windows(5).any(|window| window == b"token"), "the stored form is encrypted");
    assert_eq!(sealer.open(&own_transfer, &sealed).await.unwrap().expose(), URL);
    let foreign = sealer.open(&other_transfer, &sealed).await;
    assert!(matches!(foreign, Err(SealError::Unreadable)), "{foreign:?}");
}

#[tokio::test]
async fn ciphertext_of_another_key_or_invalid_bytes_are_unreadable() {
    let Some(emulator) = emulator() else { return };
    let (sealer, sealer_with_other_key) = (sealer(&emulator).await, sealer(&emulator).await);
    let id = support::random_id();
    let sealed = sealer_with_other_key.seal(&id, &UploadUrl::new(URL)).await.unwrap();
    for bytes in [sealed.as_slice(), b"no ciphertext", b""] {
        let opened = sealer.open(&id, bytes).await;
        assert!(matches!(opened, Err(SealError::Unreadable)), "{opened:?}");
    }
}

#[tokio::test]
async fn url_above_the_kms_limit_fails_with_a_clear_cause() {
    let Some(emulator) = emulator() else { return };
    let sealer = sealer(&emulator).await;
    let id = support::random_id();
    let longest = UploadUrl::new("u".repeat(MAX_URL_BYTES));
    let sealed = sealer.seal(&id, &longest).await.unwrap();
    assert_eq!(sealer.open(&id, &sealed).await.unwrap().expose(), longest.expose());
    let Err(SealError::Unavailable(cause)) =
        sealer.seal(&id, &UploadUrl::new("u".repeat(MAX_URL_BYTES + 1))).await
    else {
        panic!("a URL above the limit was sealed");
    };
    assert_eq!(cause.to_string(), "KMS Encrypt: the URL exceeds the 4096 bytes that KMS encrypts");
}
