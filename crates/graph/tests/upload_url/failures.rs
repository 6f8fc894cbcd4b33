//! Tests of requests to an upload URL that get no response, because the connection breaks or
//! stalls, the source of the bytes fails, or the caller drops the request.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use docferry_app::ports::{Drive as _, DriveError, UploadUrl};
use docferry_graph::{GraphDrive, GraphSettings};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::support::{
    CountingCredentials, Listener, ManualClock, byte_stream, counted_stream, drive, range,
    settings, stream_failing_after,
};

#[tokio::test]
async fn broken_connection_is_ambiguous_and_its_error_contains_no_url() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base_url), server.upload_url());
    let put = drive.put_fragment(&url, range(0, 9_000_000, 9_000_000), byte_stream(9_000_000));
    let serve = async { server.accept().await.read_head().await };

    let (result, _) = tokio::join!(put, serve);

    let error = result.unwrap_err();
    assert!(matches!(error, DriveError::Ambiguous(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("tempauth"), "{error:?}");

    let unreachable = UploadUrl::new("http://127.0.0.1:1/up?tempauth=s");
    let error = drive.put_fragment(&unreachable, range(0, 9, 9), byte_stream(9)).await.unwrap_err();
    assert!(matches!(error, DriveError::Ambiguous(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("tempauth"), "{error:?}");
}

#[tokio::test]
async fn failing_source_is_distinguished_from_a_failing_drive() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base_url), server.upload_url());
    let failing = stream_failing_after(100_000);
    let too_short = byte_stream(100_000);
    let too_long = byte_stream(200_001);
    for stream in [failing, too_short, too_long] {
        let put = drive.put_fragment(&url, range(0, 200_000, 200_000), stream);
        let serve = async {
            let mut received = Vec::new();
            let _ = server.accept().await.0.read_to_end(&mut received).await;
        };

        let (result, ()) = tokio::join!(put, serve);

        assert!(matches!(result, Err(DriveError::Body)), "{result:?}");
    }
}

#[tokio::test]
async fn stalled_fragment_is_abandoned_as_ambiguous() {
    let server = Listener::bind().await;
    let settings =
        GraphSettings { stall_timeout: Duration::from_millis(300), ..settings(&server.base_url) };
    let drive =
        GraphDrive::new(&settings, CountingCredentials::default(), ManualClock::default()).unwrap();
    let url = server.upload_url();
    for size in [100, 50_000_000] {
        let put = drive.put_fragment(&url, range(0, size as u64, size as u64), byte_stream(size));

        // The server accepts the connection and then reads nothing.
        let (result, _connection) = tokio::join!(put, server.accept());

        assert!(matches!(result, Err(DriveError::Ambiguous(_))), "{result:?}");
    }
}

/// Size of a document in bytes that is larger than all buffers between client and server.
const DOCUMENT_SIZE: usize = 60_000_000;

#[tokio::test]
async fn dropping_the_put_closes_the_connection_and_stops_reading() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base_url), server.upload_url());
    let read_chunks = Arc::new(AtomicU32::new(0));
    let whole_document = range(0, DOCUMENT_SIZE as u64, DOCUMENT_SIZE as u64);
    let stream = counted_stream(DOCUMENT_SIZE, &read_chunks);
    let put = drive.put_fragment(&url, whole_document, stream);
    let mut connection = {
        let mut put = pin!(put);
        let accept = async {
            let mut connection = server.accept().await;
            connection.read_head().await;
            connection
        };
        tokio::select! {
            result = &mut put => panic!("the server has not responded: {result:?}"),
            connection = accept => {
                // Let the client send a part of the body.
                let result = timeout(Duration::from_millis(200), &mut put).await;
                assert!(result.is_err());
                connection
            }
        }
        // The put is dropped here.
    };

    let chunks_read_before_drop = read_chunks.load(Ordering::SeqCst);
    let mut received = Vec::new();
    // The read ends when the client closes the connection.
    let read = connection.0.read_to_end(&mut received);
    let _ = timeout(Duration::from_secs(10), read).await.unwrap();
    assert!(received.len() < DOCUMENT_SIZE);
    assert_eq!(read_chunks.load(Ordering::SeqCst), chunks_read_before_drop);
}
