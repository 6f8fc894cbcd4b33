//! Tests of the client for upload URLs: the exact bytes sent, and the handling of each response.

mod support;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use docferry_app::ports::{Drive as _, DriveError, FragmentResult, SessionEnd, UploadUrl};
use docferry_domain::upload::ExpectedRange;
use docferry_graph::GraphDrive;
use support::{Asked, Listener, ManualClock, bytes, counted, drive, failing_after, range};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

const ITEM: &str =
    r#"{"id":"i-1","name":"a.pdf","size":300,"file":{"hashes":{"quickXorHash":"aaa="}}}"#;

#[tokio::test]
async fn upload_url_is_replayed_byte_for_byte_without_our_credentials() {
    let server = Listener::bind().await;
    let target = "/a'b/%7e/./x//y?tempauth='v1.a|b{c}^%2B+%27'&p=(1)!*&e=%";
    let url = UploadUrl::new(format!("{}{target}", server.base));
    let drive = drive(&server.base);
    let put = drive.put_fragment(&url, range(100, 300, 1000), bytes(200));
    let serve = async {
        let mut connection = server.accept().await;
        let (head, body) = connection.request().await;
        connection.answer("202 Accepted", "", r#"{"nextExpectedRanges":["300-"]}"#).await;
        (head, body.len())
    };
    let (answer, (head, len)) = tokio::join!(put, serve);
    assert_eq!(answer.unwrap(), FragmentResult::Accepted { next: Some(ExpectedRange::open(300)) });
    assert_eq!(len, 200);
    let host = server.base.trim_start_matches("http://");
    assert_eq!(
        head,
        format!(
            "PUT {target} HTTP/1.1\r\ncontent-length: 200\r\ncontent-range: bytes 100-299/1000\r\nhost: {host}\r\n\r\n"
        )
    );
}

#[tokio::test]
async fn invalid_characters_of_an_upload_url_are_encoded_once() {
    let server = Listener::bind().await;
    let drive = drive(&server.base);
    for (written, sent) in [
        ("/a b/`c`?key=x y", "/a%20b/%60c%60?key=x%20y"),
        ("/up?key=a\"b<c>d%20e%", "/up?key=a%22b%3Cc%3Ed%20e%"),
        ("/up/^<?key='a|b{c}^'+ +%2B", "/up/%5E%3C?key='a%7Cb%7Bc%7D%5E'+%20+%2B"),
    ] {
        let url = UploadUrl::new(format!("{}{written}", server.base));
        let put = drive.put_fragment(&url, range(0, 100, 300), bytes(100));
        let serve = async {
            let mut connection = server.accept().await;
            let (head, _) = connection.request().await;
            connection.answer("202 Accepted", "connection: close\r\n", "").await;
            head
        };
        let (answer, head) = tokio::join!(put, serve);
        assert_eq!(answer.unwrap(), FragmentResult::Accepted { next: None });
        assert_eq!(head.lines().next(), Some(format!("PUT {sent} HTTP/1.1").as_str()));
    }
}

/// The other server listens, but no connection may reach it.
#[tokio::test]
async fn upload_url_of_a_foreign_host_is_never_connected_to() {
    let (graph, other) = (Listener::bind().await, Listener::bind().await);
    let drive = drive(&graph.base);
    let url = UploadUrl::new(other.base.replace("127.0.0.1", "127.0.0.2") + "/up?x");
    let read_chunks = Arc::new(AtomicU32::new(0));
    let put = drive.put_fragment(&url, range(0, 300, 300), counted(300, &read_chunks)).await;
    let Err(DriveError::Refused { code }) = put else { panic!("{put:?}") };
    assert_eq!((code.as_str(), read_chunks.load(Ordering::SeqCst)), ("uploadHostNotAllowed", 0));
    let status = drive.session_status(&url).await;
    assert!(matches!(status, Err(DriveError::Refused { .. })), "{status:?}");
    let end = drive.delete_session(&url).await.unwrap();
    assert_eq!(
        end,
        SessionEnd::AlreadyGone,
        "no session can be open at a host that is never called"
    );
}

/// Shows why upload URLs are not sent with reqwest.
#[test]
fn reqwest_url_rewrites_quotes_and_dot_segments() {
    let url = reqwest::Url::parse("https://x.example/a/./b?tempauth='s'").unwrap();
    assert_eq!(url.as_str(), "https://x.example/a/b?tempauth=%27s%27");
}

#[tokio::test]
async fn fragments_share_a_connection_and_the_last_one_completes_the_upload() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base), server.upload_url());
    let client = async {
        let first = drive.put_fragment(&url, range(0, 100_000, 100_300), bytes(100_000)).await;
        let last = drive.put_fragment(&url, range(100_000, 100_300, 100_300), bytes(300)).await;
        let lost = drive.put_fragment(&url, range(100_000, 100_300, 100_300), bytes(300)).await;
        (first.unwrap(), last.unwrap(), lost)
    };
    let serve = async {
        let mut connection = server.accept().await;
        for (status, body) in [("202 Accepted", ""), ("201 Created", ITEM), ("200 OK", "")] {
            connection.request().await;
            connection.answer(status, "", body).await;
        }
    };
    let ((first, last, lost), ()) = tokio::join!(client, serve);
    assert_eq!(first, FragmentResult::Accepted { next: None });
    let FragmentResult::Completed(item) = last else { panic!("{last:?}") };
    assert_eq!((item.id.as_str(), item.facts.size), ("i-1", 300));
    assert_eq!(item.facts.quick_xor_hash.as_deref(), Some("aaa="));
    assert!(matches!(lost, Err(DriveError::Ambiguous(_))), "{lost:?}");
}

/// Such bodies are a page of a proxy, progress instead of an item, and an item without its name
/// or its size.
#[tokio::test]
async fn success_without_an_item_never_completes_a_document() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base), server.upload_url());
    let bodies = [
        "<html>Something went wrong</html>",
        r#"{"nextExpectedRanges":["300-"]}"#,
        r#"{"id":"i-1","size":300}"#,
        r#"{"id":"i-1","name":"a.pdf"}"#,
        "{}",
        "null",
    ];
    for status in ["200 OK", "201 Created"] {
        for body in bodies {
            for fragment in [range(0, 300, 600), range(0, 300, 300)] {
                let put = drive.put_fragment(&url, fragment, bytes(300));
                let serve = async {
                    let mut connection = server.accept().await;
                    connection.request().await;
                    connection.answer(status, "connection: close\r\n", body).await;
                };
                let (answer, ()) = tokio::join!(put, serve);
                assert!(matches!(answer, Err(DriveError::Ambiguous(_))), "{body}: {answer:?}");
            }
        }
    }
}

/// Only 204 proves that the session was open and is now deleted.
#[tokio::test]
async fn html_response_to_a_session_delete_is_ambiguous() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base), server.upload_url());
    let delete = drive.delete_session(&url);
    let serve = async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection.answer("200 OK", "connection: close\r\n", "<html></html>").await;
    };
    let (end, ()) = tokio::join!(delete, serve);
    assert!(matches!(end, Err(DriveError::Ambiguous(_))), "{end:?}");
}

#[tokio::test]
async fn session_status_reports_the_first_expected_range_with_its_end() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base), server.upload_url());
    let status_call = drive.session_status(&url);
    let serve = async {
        let mut connection = server.accept().await;
        connection.request().await;
        let body = "\u{feff}{\"nextExpectedRanges\":[\"150-\",\"26-99\"]}";
        connection.answer("200 OK", "", body).await;
    };
    let (status, ()) = tokio::join!(status_call, serve);
    assert_eq!(status.unwrap().next, Some(ExpectedRange { start: 26, end: Some(100) }));
}

#[tokio::test]
async fn response_before_the_end_of_the_body_is_received() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base), server.upload_url());
    let put = drive.put_fragment(&url, range(0, 30_000_000, 30_000_000), bytes(30_000_000));
    let serve = async {
        let mut connection = server.accept().await;
        connection.head().await;
        connection
            .answer("429 Too Many Requests", "retry-after: 9\r\nconnection: close\r\n", "")
            .await;
        // Wait until the client has the response: closing may reset the connection.
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let (answer, ()) = tokio::join!(put, serve);
    let Err(DriveError::Throttled { retry_after }) = answer else { panic!("{answer:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(9)));
}

#[tokio::test]
async fn broken_connection_is_ambiguous_and_its_error_contains_no_url() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base), server.upload_url());
    let put = drive.put_fragment(&url, range(0, 9_000_000, 9_000_000), bytes(9_000_000));
    let serve = async { server.accept().await.head().await };
    let (answer, _) = tokio::join!(put, serve);
    let error = answer.unwrap_err();
    assert!(matches!(error, DriveError::Ambiguous(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("tempauth"), "{error:?}");

    let unreachable = UploadUrl::new("http://127.0.0.1:1/up?tempauth=s");
    let error = drive.put_fragment(&unreachable, range(0, 9, 9), bytes(9)).await.unwrap_err();
    assert!(matches!(error, DriveError::Ambiguous(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("tempauth"), "{error:?}");
}

#[tokio::test]
async fn failing_source_is_distinguished_from_a_failing_drive() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base), server.upload_url());
    for stream in [failing_after(100_000), bytes(100_000), bytes(200_001)] {
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
    let settings = docferry_graph::GraphSettings {
        stall_timeout: Duration::from_millis(300),
        ..support::settings(&server.base)
    };
    let drive = GraphDrive::new(&settings, Asked::default(), ManualClock::default()).unwrap();
    let url = server.upload_url();
    for size in [100, 50_000_000] {
        let put = drive.put_fragment(&url, range(0, size as u64, size as u64), bytes(size));
        let serve = async { server.accept().await };
        let (answer, _connection) = tokio::join!(put, serve);
        assert!(matches!(answer, Err(DriveError::Ambiguous(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn dropping_the_put_closes_the_connection_and_stops_reading() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base), server.upload_url());
    let read_chunks = Arc::new(AtomicU32::new(0));
    let put = drive.put_fragment(
        &url,
        range(0, 60_000_000, 60_000_000),
        counted(60_000_000, &read_chunks),
    );
    let mut connection = {
        let mut put = pin!(put);
        let accept = async {
            let mut connection = server.accept().await;
            connection.head().await;
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

#[tokio::test]
async fn status_and_delete_use_the_unchanged_upload_url() {
    let server = Listener::bind().await;
    let drive = drive(&server.base);
    let url = UploadUrl::new(format!("{}/up?tempauth='s'", server.base));
    let client = async {
        let status = drive.session_status(&url).await.unwrap();
        drive.delete_session(&url).await.unwrap();
        drive.delete_session(&url).await.unwrap();
        (status.next, drive.session_status(&url).await)
    };
    let serve = async {
        let mut connection = server.accept().await;
        let mut heads = Vec::new();
        for (status, body) in [
            ("200 OK", r#"{"nextExpectedRanges":["26-99","200-"]}"#),
            ("204 No Content", ""),
            ("404 Not Found", r#"{"error":{"code":"itemNotFound"}}"#),
            ("401 Unauthorized", r#"{"error":{"code":"unauthenticated"}}"#),
        ] {
            heads.push(connection.head().await);
            connection.answer(status, "", body).await;
        }
        heads
    };
    let ((next, gone), heads) = tokio::join!(client, serve);
    assert_eq!(next, Some(ExpectedRange { start: 26, end: Some(100) }));
    assert!(matches!(gone, Err(DriveError::SessionGone)));
    let host = server.base.trim_start_matches("http://");
    let head = |method| format!("{method} /up?tempauth='s' HTTP/1.1\r\nhost: {host}\r\n\r\n");
    assert_eq!(heads, [head("GET"), head("DELETE"), head("DELETE"), head("GET")]);
}

#[tokio::test]
async fn plain_http_upload_url_is_rejected_if_graph_uses_https() {
    let server = Listener::bind().await;
    let mut settings = docferry_graph::GraphSettings::public_cloud("tenant");
    settings.upload_hosts.push("127.0.0.1".into());
    let drive = GraphDrive::new(&settings, Asked::default(), ManualClock::default()).unwrap();
    let url = server.upload_url();
    let status = drive.session_status(&url);
    tokio::select! {
        answer = status => assert!(matches!(answer, Err(DriveError::Refused { .. })), "{answer:?}"),
        _ = server.accept() => panic!("a secret was sent unencrypted"),
    }
}
