//! Broken and stalled connections, and failures of the source.

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
    let (answer, _) = tokio::join!(put, serve);
    let error = answer.unwrap_err();
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
    for stream in [stream_failing_after(100_000), byte_stream(100_000), byte_stream(200_001)] {
        let put = drive.put_fragment(&url, range(0, 200_000, 200_000), stream);
        let serve = async {
            let mut sink = Vec::new();
            let _ = server.accept().await.0.read_to_end(&mut sink).await;
        };
        let (answer, ()) = tokio::join!(put, serve);
        assert!(matches!(answer, Err(DriveError::Body)), "{answer:?}");
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
        let serve = async { server.accept().await };
        let (answer, _connection) = tokio::join!(put, serve);
        assert!(matches!(answer, Err(DriveError::Ambiguous(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn dropping_the_put_closes_the_connection_and_stops_reading() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base_url), server.upload_url());
    let read_chunks = Arc::new(AtomicU32::new(0));
    let put = drive.put_fragment(
        &url,
        range(0, 60_000_000, 60_000_000),
        counted_stream(60_000_000, &read_chunks),
    );
    let mut connection = {
        let mut put = pin!(put);
        let accept = async {
            let mut connection = server.accept().await;
            connection.read_head().await;
            connection
        };
        tokio::select! {
            answer = &mut put => panic!("the server has not responded: {answer:?}"),
            connection = accept => {
                // Let the client send a part of the body.
                let answer = timeout(Duration::from_millis(200), &mut put).await;
                assert!(answer.is_err());
                connection
            }
        }
    };
    let before = read_chunks.load(Ordering::SeqCst);
    let mut sink = Vec::new();
    // Ends because the client closes the connection, before all 60 MB have arrived.
    let _ = timeout(Duration::from_secs(10), connection.0.read_to_end(&mut sink)).await.unwrap();
    assert!(sink.len() < 60_000_000);
    assert_eq!(read_chunks.load(Ordering::SeqCst), before);
}
