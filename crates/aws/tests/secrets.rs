//! Secrets: one against the emulator, the cache against a wire that counts.

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
use support::wire::{Then, answer, serve};

#[derive(Debug, Deserialize, PartialEq)]
struct Account {
    username: String,
}

#[tokio::test]
async fn a_new_value_is_seen_after_a_refresh_and_not_before() {
    let Some(emulator) = emulator() else { return };
    let client = aws_sdk_secretsmanager::Client::new(&support::config(&emulator).await);
    let name = support::random_name("secret");
    let first = r#"{"username":"ada","more":1}"#;
    let made = client.create_secret().name(&name).secret_string(first).send().await.unwrap();
    let secret = SecretCache::<Account>::new(client.clone(), made.arn().unwrap());
    assert_eq!(secret.get().await.unwrap().username, "ada");
    let put = client.put_secret_value().secret_id(&name).secret_string(r#"{"username":"eve"}"#);
    put.send().await.unwrap();
    assert_eq!(secret.get().await.unwrap().username, "ada");
    assert_eq!(secret.refresh().await.unwrap().username, "eve");
    assert_eq!(secret.get().await.unwrap().username, "eve");
}

struct Wire {
    secret: SecretCache<Account>,
    fetched: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
}

/// A secret whose text is `text`, `{n}` replaced by the number of the fetch.
async fn wire(text: &'static str) -> Wire {
    let (fetched, down) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, broken) = (Arc::clone(&fetched), Arc::clone(&down));
    let url = serve(move |n, _| {
        let broken = broken.load(Ordering::SeqCst);
        if !broken {
            count.fetch_add(1, Ordering::SeqCst);
        }
        let text = text.replace("{n}", &n.to_string());
        let body = serde_json::json!({ "Name": "s", "SecretString": text }).to_string();
        async move {
            let status = if broken { "400 Bad Request" } else { "200 OK" };
            let body = if broken { r#"{"__type":"AccessDeniedException"}"# } else { &body };
            (answer(status, "content-type: application/x-amz-json-1.1\r\n", body), Then::Close)
        }
    })
    .await;
    let client = aws_sdk_secretsmanager::Client::new(&support::config(&url).await);
    Wire { secret: SecretCache::new(client, "s"), fetched, down }
}

async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_value_is_fetched_once_in_five_minutes() {
    let wire = wire(r#"{"username":"u{n}"}"#).await;
    for _ in 0..3 {
        assert_eq!(wire.secret.get().await.unwrap().username, "u0");
    }
    pass(Duration::from_secs(301)).await;
    assert_eq!(wire.secret.clone().get().await.unwrap().username, "u1");
    assert_eq!(wire.fetched.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn many_who_were_refused_at_once_share_one_refresh() {
    let wire = wire(r#"{"username":"u{n}"}"#).await;
    wire.secret.get().await.unwrap();
    let refreshed = join_all((0..10).map(|_| wire.secret.refresh())).await;
    for account in refreshed {
        assert_eq!(account.unwrap().username, "u1");
    }
    assert_eq!(wire.fetched.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_old_value_goes_on_being_used_while_the_service_does_not_answer() {
    let wire = wire(r#"{"username":"u{n}"}"#).await;
    wire.secret.get().await.unwrap();
    wire.down.store(true, Ordering::SeqCst);
    pass(Duration::from_secs(301)).await;
    assert_eq!(wire.secret.get().await.unwrap().username, "u0");
    let Err(SecretError::Unavailable(fault)) = wire.secret.refresh().await else {
        panic!("it was refreshed");
    };
    assert!(fault.to_string().contains("AccessDeniedException"), "{fault}");
    wire.down.store(false, Ordering::SeqCst);
    pass(Duration::from_secs(31)).await;
    assert_ne!(wire.secret.get().await.unwrap().username, "u0");
}

#[tokio::test]
async fn a_secret_of_another_shape_is_invalid_and_is_not_quoted() {
    for text in ["hunter2", r#"{"password":"hunter2"}"#, r#"{"username":{"hunter2":1}}"#] {
        let error = wire(text).await.secret.get().await.unwrap_err();
        assert!(matches!(error, SecretError::Invalid), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}
