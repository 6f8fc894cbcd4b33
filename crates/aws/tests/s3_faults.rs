//! Broken bodies and error responses of the exchange store, sent by a fake server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use docferry_app::ports::{ByteStream, ExchangeError, ExchangeStore as _};
use docferry_aws::S3ExchangeStore;
use docferry_aws::s3::{S3Settings, client};
use futures::StreamExt as _;

use support::wire::{Then, answer, serve};

/// Returns a store and the number of its requests. The server sends these bytes in response to
/// every request, then closes the connection or stalls.
async fn store(bytes: Vec<u8>, stall: bool) -> (S3ExchangeStore, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let url = serve(move |n, _| {
        seen.store(n + 1, Ordering::SeqCst);
        let bytes = bytes.clone();
        async move { (bytes, if stall { Then::Stall } else { Then::Close }) }
    })
    .await;
    (exchange(url), count)
}

/// Returns a store whose server sends these responses one after another.
async fn store_with_responses(answers: Vec<Vec<u8>>) -> S3ExchangeStore {
    let url = serve(move |n, _| {
        let bytes = answers[n.min(answers.len() - 1)].clone();
        async move { (bytes, Then::Close) }
    })
    .await;
    exchange(url)
}

fn exchange(url: String) -> S3ExchangeStore {
    let settings = S3Settings {
        region: "us-east-1".into(),
        endpoint_url: Some(url),
        path_style: true,
        access_key_id: "test".into(),
        secret_access_key: "test".into(),
        stall: Duration::from_secs(1),
    };
    S3ExchangeStore::new(client(&settings), "exchange")
}

/// Response to a HEAD request for an object with this ETag.
fn head_response(etag: &str) -> Vec<u8> {
    let time = "last-modified: Sun, 06 Nov 1994 08:49:37 GMT";
    format!("HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n{time}\r\netag: {etag}\r\n\r\n")
        .into_bytes()
}

/// Response that announces 10 bytes and sends `body`.
fn partial_response(headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 206 Partial Content\r\ncontent-length: 10\r\nconnection: close\r\n{headers}\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn read_to_end(mut stream: ByteStream) -> (Vec<u8>, Option<ExchangeError>) {
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(error) => return (bytes, Some(error)),
        }
    }
    (bytes, None)
}

#[tokio::test]
async fn truncated_body_ends_the_stream_with_an_error() {
    let (exchange, _) =
        store(partial_response("content-range: bytes 10-19/100", "12345"), false).await;
    let (bytes, error) = read_to_end(exchange.read("k", "\"e\"", 10..20).await.unwrap()).await;
    assert_eq!(bytes, b"12345");
    assert!(matches!(error, Some(ExchangeError::Unavailable(_))), "{error:?}");
}

#[tokio::test]
async fn stalled_body_yields_received_bytes_and_then_an_error() {
    let (exchange, _) =
        store(partial_response("content-range: bytes 10-19/100", "123"), true).await;
    let (bytes, error) = read_to_end(exchange.read("k", "\"e\"", 10..20).await.unwrap()).await;
    assert_eq!(bytes, b"123", "chunks are passed on as they arrive");
    assert!(matches!(error, Some(ExchangeError::Unavailable(_))), "{error:?}");
}

#[tokio::test]
async fn complete_range_is_accepted_despite_a_whole_object_checksum() {
    let headers = "content-range: bytes 10-19/100\r\nx-amz-checksum-crc32: AAAAAA==";
    let (exchange, _) = store(partial_response(headers, "0123456789"), false).await;
    let (bytes, error) = read_to_end(exchange.read("k", "\"e\"", 10..20).await.unwrap()).await;
    assert_eq!((bytes.as_slice(), error.is_none()), (b"0123456789".as_slice(), true));
}

#[tokio::test]
async fn response_with_another_range_is_rejected() {
    for headers in ["content-range: bytes 0-9/100", "content-range: bytes 11-20/100", "x: y"] {
        let (exchange, _) = store(partial_response(headers, "0123456789"), false).await;
        let result = exchange.read("k", "\"e\"", 10..20).await.err();
        assert!(matches!(result, Some(ExchangeError::Unavailable(_))), "{headers}: {result:?}");
    }
}

#[tokio::test]
async fn response_with_another_etag_means_a_changed_object() {
    let headers = "content-range: bytes 10-19/100\r\netag: \"f\"";
    let (exchange, _) = store(partial_response(headers, "0123456789"), false).await;
    let result = exchange.read("k", "\"e\"", 10..20).await.err();
    assert!(matches!(result, Some(ExchangeError::Changed)), "{result:?}");
}

#[tokio::test]
async fn weak_and_unquoted_etags_identify_the_same_object() {
    for sent in ["\"e\"", "W/\"e\"", "e"] {
        let headers = format!("content-range: bytes 10-19/100\r\netag: {sent}");
        for known in ["\"e\"", "W/\"e\"", "e"] {
            let (exchange, _) = store(partial_response(&headers, "0123456789"), false).await;
            let stream = exchange.read("k", known, 10..20).await;
            assert!(stream.is_ok(), "{sent} {known}: {:?}", stream.err());
        }
    }
}

#[tokio::test]
async fn range_error_for_a_replaced_object_is_reported_as_changed() {
    for status in ["416 Range Not Satisfiable", "412 Precondition Failed"] {
        let rejection = answer(status, "", "");
        let exchange = store_with_responses(vec![rejection.clone(), head_response("\"f\"")]).await;
        let error = exchange.read("k", "\"e\"", 10..20).await.err();
        assert!(matches!(error, Some(ExchangeError::Changed)), "{status}: {error:?}");
        let exchange = store_with_responses(vec![rejection, answer("404 Not Found", "", "")]).await;
        let error = exchange.read("k", "\"e\"", 10..20).await.err();
        assert!(matches!(error, Some(ExchangeError::Gone)), "{status}: {error:?}");
    }
    let shorter = answer("416 Range Not Satisfiable", "", "");
    let exchange = store_with_responses(vec![shorter, head_response("W/\"e\"")]).await;
    let error = exchange.read("k", "\"e\"", 10..20).await.err();
    assert!(matches!(error, Some(ExchangeError::Gone)), "{error:?}");
}

#[tokio::test]
async fn store_that_rejects_our_etag_form_is_read_unconditionally() {
    let headers = "content-range: bytes 10-19/100\r\netag: W/\"e\"";
    let whole = partial_response(headers, "0123456789");
    let rejection = answer("412 Precondition Failed", "", "");
    let exchange = store_with_responses(vec![rejection, head_response("W/\"e\""), whole]).await;
    let (bytes, error) = read_to_end(exchange.read("k", "W/\"e\"", 10..20).await.unwrap()).await;
    assert_eq!((bytes.as_slice(), error.is_none()), (b"0123456789".as_slice(), true));
}

#[tokio::test]
async fn rejected_key_pair_is_unauthorized_in_every_call() {
    let body = "<Error><Code>AccessDenied</Code><Message>k of ada@court.example</Message></Error>";
    let (exchange, count) = store(answer("403 Forbidden", "", body), false).await;
    let errors = [exchange.delete("k").await.err(), exchange.read("k", "\"e\"", 0..1).await.err()];
    for error in errors {
        assert!(matches!(error, Some(ExchangeError::Unauthorized)), "{error:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 2, "not retried");
    let (exchange, _) = store(answer("403 Forbidden", "", ""), false).await;
    let head = exchange.head("k").await;
    assert!(matches!(head, Err(ExchangeError::Unauthorized)), "{head:?}");
    let time = exchange.store_time().await;
    assert!(matches!(time, Err(ExchangeError::Unauthorized)), "{time:?}");
}

#[tokio::test]
async fn server_error_is_unavailable_after_three_tries_and_shows_only_its_code() {
    let body = "<Error><Code>SlowDown</Code><Message>k of ada@court.example</Message></Error>";
    let (exchange, count) = store(answer("503 Slow Down", "", body), false).await;
    let Err(ExchangeError::Unavailable(cause)) = exchange.read("k", "\"e\"", 0..1).await else {
        panic!("the read succeeded");
    };
    assert_eq!(cause.to_string(), "S3 GetObject: SlowDown (status 503)");
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn store_time_comes_from_the_date_header() {
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let (exchange, _) = store(answer("200 OK", date, ""), false).await;
    assert_eq!(exchange.store_time().await.unwrap().to_string(), "1994-11-06T08:49:37Z");
    let (exchange, _) = store(answer("200 OK", "", ""), false).await;
    let time = exchange.store_time().await;
    assert!(matches!(time, Err(ExchangeError::Unavailable(_))), "{time:?}");
}

#[tokio::test]
async fn empty_range_is_never_requested() {
    let (exchange, count) = store(Vec::new(), false).await;
    assert!(exchange.read("k", "\"e\"", 5..5).await.is_err());
    assert_eq!(count.load(Ordering::SeqCst), 0);
}
