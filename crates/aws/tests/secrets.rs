//! Tests of the secret cache, against the emulator and against a fake server that counts fetches.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use docferry_aws::SecretCache;
use docferry_aws::secrets::SecretError;
use futures::future::join_all;
use serde::Deserialize;

use support::emulator;
use support::wire::{AfterResponse, http_response, serve};

#[derive(Debug, Deserialize, PartialEq)]
struct Account {
    username: String,
}

#[tokio::test]
async fn rotated_secret_is_returned_only_after_a_refresh() {
    let Some(emulator) = emulator() else { return };
    let client = aws_sdk_secretsmanager::Client::new(&support::config(&emulator).await);
    let name = support::random_name("secret");
    let first = r#"{"username":"ada","more":1}"#;
    let created = client.create_secret().name(&name).secret_string(first).send().await.unwrap();
    let secret = SecretCache::<Account>::new(client.clone(), created.arn().unwrap());
    assert_eq!(secret.get().await.unwrap().username, "ada");

    let put = client.put_secret_value().secret_id(&name).secret_string(r#"{"username":"eve"}"#);
    put.send().await.unwrap();

    assert_eq!(secret.get().await.unwrap().username, "ada");
    assert_eq!(secret.refresh().await.unwrap().username, "eve");
    assert_eq!(secret.get().await.unwrap().username, "eve");
}

/// Secret of a fake Secrets Manager.
struct FakeSecret {
    secret: SecretCache<Account>,
    /// Number of successful fetches.
    fetches: Arc<AtomicUsize>,
    /// Whether the server responds with an error.
    is_down: Arc<AtomicBool>,
}

/// Starts a fake Secrets Manager and returns a cache for its secret. In `text`, `{n}` is replaced
/// by the number of the request.
async fn fake_secret(text: &'static str) -> FakeSecret {
    let (fetches, is_down) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (counter, error_flag) = (Arc::clone(&fetches), Arc::clone(&is_down));
    let url = serve(move |index, _| {
        let fails = error_flag.load(Ordering::SeqCst);
        if !fails {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        let text = text.replace("{n}", &index.to_string());
        let body = serde_json::json!({ "Name": "s", "SecretString": text }).to_string();
        async move {
            let status = if fails { "400 Bad Request" } else { "200 OK" };
            let body = if fails { r#"{"__type":"AccessDeniedException"}"# } else { &body };
            (
                http_response(status, "content-type: application/x-amz-json-1.1\r\n", body),
                AfterResponse::Close,
            )
        }
    })
    .await;
    let client = aws_sdk_secretsmanager::Client::new(&support::config(&url).await);
    FakeSecret { secret: SecretCache::new(client, "s"), fetches, is_down }
}

/// Duration after which a cached secret is no longer fresh.
const PAST_MAX_AGE: Duration =
    SecretCache::<Account>::MAX_AGE.saturating_add(Duration::from_secs(1));

/// Moves tokio's clock forward.
async fn advance_time(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn secret_is_fetched_once_in_five_minutes() {
    let fake = fake_secret(r#"{"username":"u{n}"}"#).await;
    for _ in 0..3 {
        assert_eq!(fake.secret.get().await.unwrap().username, "u0");
    }
    advance_time(PAST_MAX_AGE).await;
    assert_eq!(fake.secret.clone().get().await.unwrap().username, "u1");
    assert_eq!(fake.fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn concurrent_secret_refreshes_share_one_fetch() {
    let fake = fake_secret(r#"{"username":"u{n}"}"#).await;
    fake.secret.get().await.unwrap();
    let refreshed = join_all((0..10).map(|_| fake.secret.refresh())).await;
    for account in refreshed {
        assert_eq!(account.unwrap().username, "u1");
    }
    assert_eq!(fake.fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn cached_secret_is_used_while_the_service_is_unavailable() {
    let fake = fake_secret(r#"{"username":"u{n}"}"#).await;
    fake.secret.get().await.unwrap();
    fake.is_down.store(true, Ordering::SeqCst);
    advance_time(PAST_MAX_AGE).await;
    assert_eq!(fake.secret.get().await.unwrap().username, "u0");
    let Err(SecretError::Unavailable(fault)) = fake.secret.refresh().await else {
        panic!("the refresh succeeded");
    };
    assert!(fault.to_string().contains("AccessDeniedException"), "{fault}");
    fake.is_down.store(false, Ordering::SeqCst);
    // After a failed fetch, the old value is used for 30 seconds without another fetch.
    advance_time(Duration::from_secs(31)).await;
    assert_ne!(fake.secret.get().await.unwrap().username, "u0");
}

#[tokio::test]
async fn malformed_secret_is_invalid_and_never_quoted() {
    for text in ["hunter2", r#"{"password":"hunter2"}"#, r#"{"username":{"hunter2":1}}"#] {
        let error = fake_secret(text).await.secret.get().await.unwrap_err();
        assert!(matches!(error, SecretError::Invalid), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}
