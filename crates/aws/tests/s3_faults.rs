//! Tests of the adapter for the exchange bucket with broken bodies and error responses.
//!
//! A fake S3 server sends them, because the emulator cannot be made to fail. Most tests read the
//! bytes 10 to 19 of an object of 100 bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::ops::Range;

use docferry_app::ports::{ByteStream, ExchangeError, ExchangeStore as _};
use futures::StreamExt as _;

use support::exchange::{FakeStore, exchange_with_responses};
use support::wire::http_response;

/// Key of the object that the tests read.
const KEY: &str = "k";
/// ETag of the object that the adapter knows.
const ETAG: &str = "\"e\"";
/// ETag of an object that has replaced the known object.
const OTHER_ETAG: &str = "\"f\"";
/// Range that the tests read.
const RANGE: Range<u64> = 10..20;
/// Header of a response that contains [`RANGE`].
const RANGE_HEADER: &str = "content-range: bytes 10-19/100";
/// Bytes of the object in [`RANGE`].
const RANGE_BYTES: &str = "0123456789";

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

/// Reads a body. Returns the bytes that were received, and the error that ended the stream.
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
    let store = FakeStore::closing_after(partial_response(RANGE_HEADER, "12345")).await;

    let (bytes, error) = read_to_end(store.exchange.read(KEY, ETAG, RANGE).await.unwrap()).await;

    assert_eq!(bytes, b"12345");
    assert!(matches!(error, Some(ExchangeError::Unavailable(_))), "{error:?}");
}

#[tokio::test]
async fn stalled_body_yields_received_bytes_and_then_an_error() {
    let store = FakeStore::stalling_after(partial_response(RANGE_HEADER, "123")).await;

    let (bytes, error) = read_to_end(store.exchange.read(KEY, ETAG, RANGE).await.unwrap()).await;

    assert_eq!(bytes, b"123", "chunks are passed on as they arrive");
    assert!(matches!(error, Some(ExchangeError::Unavailable(_))), "{error:?}");
}

#[tokio::test]
async fn complete_range_is_accepted_despite_a_whole_object_checksum() {
    let headers = format!("{RANGE_HEADER}\r\nx-amz-checksum-crc32: AAAAAA==");
    let store = FakeStore::closing_after(partial_response(&headers, RANGE_BYTES)).await;

    let (bytes, error) = read_to_end(store.exchange.read(KEY, ETAG, RANGE).await.unwrap()).await;

    assert!(error.is_none(), "{error:?}");
    assert_eq!(bytes, RANGE_BYTES.as_bytes());
}

#[tokio::test]
async fn response_with_another_range_is_rejected() {
    // The last response has no header `content-range`.
    for headers in ["content-range: bytes 0-9/100", "content-range: bytes 11-20/100", "x: y"] {
        let store = FakeStore::closing_after(partial_response(headers, RANGE_BYTES)).await;
        let result = store.exchange.read(KEY, ETAG, RANGE).await.err();
        assert!(matches!(result, Some(ExchangeError::Unavailable(_))), "{headers}: {result:?}");
    }
}

#[tokio::test]
async fn response_with_another_etag_means_a_changed_object() {
    let headers = format!("{RANGE_HEADER}\r\netag: {OTHER_ETAG}");
    let store = FakeStore::closing_after(partial_response(&headers, RANGE_BYTES)).await;

    let result = store.exchange.read(KEY, ETAG, RANGE).await.err();

    assert!(matches!(result, Some(ExchangeError::Changed)), "{result:?}");
}

#[tokio::test]
async fn weak_and_unquoted_etags_identify_the_same_object() {
    for sent in ["\"e\"", "W/\"e\"", "e"] {
        let headers = format!("{RANGE_HEADER}\r\netag: {sent}");
        for known in ["\"e\"", "W/\"e\"", "e"] {
            let store = FakeStore::closing_after(partial_response(&headers, RANGE_BYTES)).await;
            let stream = store.exchange.read(KEY, known, RANGE).await;
            assert!(stream.is_ok(), "{sent} {known}: {:?}", stream.err());
        }
    }
}

#[tokio::test]
async fn range_error_for_a_replaced_object_is_reported_as_changed() {
    for status in ["416 Range Not Satisfiable", "412 Precondition Failed"] {
        let rejection = http_response(status, "", "");
        let exchange =
            exchange_with_responses(vec![rejection.clone(), head_response(OTHER_ETAG)]).await;
        let error = exchange.read(KEY, ETAG, RANGE).await.err();
        assert!(matches!(error, Some(ExchangeError::Changed)), "{status}: {error:?}");
        let exchange =
            exchange_with_responses(vec![rejection, http_response("404 Not Found", "", "")]).await;
        let error = exchange.read(KEY, ETAG, RANGE).await.err();
        assert!(matches!(error, Some(ExchangeError::Gone)), "{status}: {error:?}");
    }

    // The object is unchanged, but ends before the range.
    let out_of_range = http_response("416 Range Not Satisfiable", "", "");
    let exchange = exchange_with_responses(vec![out_of_range, head_response("W/\"e\"")]).await;
    let error = exchange.read(KEY, ETAG, RANGE).await.err();
    assert!(matches!(error, Some(ExchangeError::Gone)), "{error:?}");
}

#[tokio::test]
async fn store_that_rejects_our_etag_form_is_read_unconditionally() {
    const WEAK_ETAG: &str = "W/\"e\"";
    let rejection = http_response("412 Precondition Failed", "", "");
    let headers = format!("{RANGE_HEADER}\r\netag: {WEAK_ETAG}");
    let range_response = partial_response(&headers, RANGE_BYTES);
    let responses = vec![rejection, head_response(WEAK_ETAG), range_response];
    let exchange = exchange_with_responses(responses).await;

    let (bytes, error) = read_to_end(exchange.read(KEY, WEAK_ETAG, RANGE).await.unwrap()).await;

    assert!(error.is_none(), "{error:?}");
    assert_eq!(bytes, RANGE_BYTES.as_bytes());
}

#[tokio::test]
async fn rejected_key_pair_is_unauthorized_in_every_call() {
    let body = "<Error><Code>AccessDenied</Code><Message>k of ada@court.example</Message></Error>";
    let store = FakeStore::closing_after(http_response("403 Forbidden", "", body)).await;
    let delete_error = store.exchange.delete(KEY).await.err();
    let read_error = store.exchange.read(KEY, ETAG, RANGE).await.err();
    for error in [delete_error, read_error] {
        assert!(matches!(error, Some(ExchangeError::Unauthorized)), "{error:?}");
    }
    assert_eq!(store.requests(), 2, "neither call is retried");

    let store = FakeStore::closing_after(http_response("403 Forbidden", "", "")).await;
    let head = store.exchange.head(KEY).await;
    assert!(matches!(head, Err(ExchangeError::Unauthorized)), "{head:?}");
    let time = store.exchange.store_time().await;
    assert!(matches!(time, Err(ExchangeError::Unauthorized)), "{time:?}");
}

#[tokio::test]
async fn server_error_is_unavailable_after_three_tries_and_shows_only_its_code() {
    let body = "<Error><Code>SlowDown</Code><Message>k of ada@court.example</Message></Error>";
    let store = FakeStore::closing_after(http_response("503 Slow Down", "", body)).await;

    let Err(ExchangeError::Unavailable(cause)) = store.exchange.read(KEY, ETAG, RANGE).await else {
        panic!("the read succeeded");
    };

    assert_eq!(cause.to_string(), "S3 GetObject: SlowDown (status 503)");
    assert_eq!(store.requests(), 3);
}

#[tokio::test]
async fn store_time_comes_from_the_date_header() {
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let store = FakeStore::closing_after(http_response("200 OK", date, "")).await;
    assert_eq!(store.exchange.store_time().await.unwrap().to_string(), "1994-11-06T08:49:37Z");

    let store_without_date = FakeStore::closing_after(http_response("200 OK", "", "")).await;
    let time = store_without_date.exchange.store_time().await;
    assert!(matches!(time, Err(ExchangeError::Unavailable(_))), "{time:?}");
}

#[tokio::test]
async fn empty_range_is_never_requested() {
    let store = FakeStore::closing_after(Vec::new()).await;

    assert!(store.exchange.read(KEY, ETAG, 5..5).await.is_err());

    assert_eq!(store.requests(), 0);
}
