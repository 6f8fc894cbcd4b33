//! Tests of the DynamoDB store with error responses and broken connections.
//!
//! A fake server sends the responses, because the emulator cannot be made to fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use docferry_app::ports::{
    ExchangeKeyStore as _, StoreError, TransferStore as _, UploadStore as _, WriteError,
};
use docferry_aws::DynamoTransferStore;
use docferry_testkit::builders::{epoch, pushed, record_push, transfer};

use support::wire::{AfterResponse, http_response, serve};

/// Number of times that the store sends a write that meets conflicts or throttling: once, and 7
/// retries.
const STORE_TRIES: usize = 8;
/// Number of times that the AWS SDK sends a request that fails.
const SDK_TRIES: usize = 4;

/// Returns a DynamoDB error. `more_members` is added to the JSON object of its body.
fn error_response(code: &str, more_members: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"bad ada@court.example"{more_members}}}"#
    );
    http_response("400 Bad Request", "content-type: application/x-amz-json-1.0\r\n", &body)
}

/// Returns a store and the number of requests that it has sent. The server first sends the
/// responses `first`. After them it sends only successes.
async fn store(first: Vec<Vec<u8>>) -> (DynamoTransferStore, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let url = serve(move |index, _| {
        counter.store(index + 1, Ordering::SeqCst);
        let bytes = first.get(index).cloned();
        let success =
            || http_response("200 OK", "content-type: application/x-amz-json-1.0\r\n", "{}");
        async move { (bytes.unwrap_or_else(success), AfterResponse::Close) }
    })
    .await;
    let client = aws_sdk_dynamodb::Client::new(&support::config(&url).await);
    (DynamoTransferStore::new(client, "transfers"), count)
}

#[tokio::test]
async fn transaction_conflict_is_retried_until_it_succeeds() {
    let conflict = error_response("TransactionConflictException", "");
    let (store, count) = store(vec![conflict.clone(), conflict]).await;
    store.mark_released(&support::random_id(), "k", epoch()).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 3);

    let reasons = r#","CancellationReasons":[{"Code":"ConditionalCheckFailed"},{"Code":"TransactionConflict"}]"#;
    let canceled = error_response("TransactionCanceledException", reasons);
    let (store, count) = self::store(vec![canceled.clone(), canceled]).await;
    assert!(record_push(&store, &support::random_id(), 1, &pushed("k", 1)).await.unwrap());
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn transaction_canceled_by_throttling_is_retried_like_a_conflict() {
    for code in ["ThrottlingError", "ProvisionedThroughputExceeded"] {
        let reasons = format!(
            r#","CancellationReasons":[{{"Code":"ConditionalCheckFailed"}},{{"Code":"{code}"}}]"#
        );
        let canceled = error_response("TransactionCanceledException", &reasons);
        let (store, count) = store(vec![canceled.clone(), canceled.clone()]).await;
        let pushed = pushed("k", 1);
        assert!(record_push(&store, &support::random_id(), 1, &pushed).await.unwrap(), "{code}");
        assert_eq!(count.load(Ordering::SeqCst), 3, "{code}");

        let (store, count) = self::store(vec![canceled; 50]).await;
        let result = record_push(&store, &support::random_id(), 1, &pushed).await;
        let Err(WriteError::Store(StoreError::Unavailable(cause))) = result else {
            panic!("{code}: {result:?}");
        };
        assert_eq!(cause.to_string(), format!("DynamoDB TransactWriteItems: {code}"));
        assert_eq!(count.load(Ordering::SeqCst), STORE_TRIES, "{code}");
    }
}

#[tokio::test]
async fn persistent_transaction_conflict_ends_as_unavailable() {
    let conflict = error_response("TransactionConflictException", "");
    let (store, count) = store(vec![conflict; 50]).await;
    let result = store.claim(&support::random_id(), 1).await;
    assert!(matches!(result, Err(WriteError::Store(StoreError::Unavailable(_)))), "{result:?}");
    assert_eq!(count.load(Ordering::SeqCst), STORE_TRIES);
}

#[tokio::test]
async fn throttled_read_is_unavailable_after_sdk_retries() {
    for code in ["ThrottlingException", "ProvisionedThroughputExceededException"] {
        let (store, count) = store(vec![error_response(code, ""); 50]).await;
        let Err(StoreError::Unavailable(cause)) = store.get(&support::random_id()).await else {
            panic!("{code}");
        };
        assert!(cause.to_string().contains(code), "{cause}");
        assert_eq!(count.load(Ordering::SeqCst), SDK_TRIES);
    }
}

#[tokio::test]
async fn error_cause_contains_the_code_but_no_service_message() {
    for code in ["ValidationException", "AccessDeniedException", "ResourceNotFoundException"] {
        let (store, _) = store(vec![error_response(code, "")]).await;
        let Err(error) = store.create(&transfer()).await else { panic!("{code}") };
        let StoreError::Unavailable(cause) = &error else { panic!("{error:?}") };
        assert_eq!(cause.to_string(), format!("DynamoDB TransactWriteItems: {code} (status 400)"));
        assert!(!format!("{error:?} {error}").contains("ada"), "{error:?}");
    }
}

#[tokio::test]
async fn broken_dynamodb_connection_is_reported_as_unavailable() {
    let (store, count) = store(vec![Vec::new(); 50]).await;
    let Err(StoreError::Unavailable(cause)) = store.get(&support::random_id()).await else {
        panic!("the read succeeded");
    };
    assert_eq!(cause.to_string(), "DynamoDB GetItem: the connection failed");
    assert_eq!(count.load(Ordering::SeqCst), SDK_TRIES);
}
