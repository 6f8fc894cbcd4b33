//! Tests of the URL in each request to an upload URL: the client sends the URL unchanged, and sends
//! nothing to hosts that are not allowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use docferry_app::ports::{Drive as _, DriveError, FragmentResult, SessionEnd, UploadUrl};
use docferry_domain::upload::ExpectedRange;
use docferry_graph::{GraphDrive, GraphSettings};

use crate::support::{
    CountingCredentials, Listener, ManualClock, byte_stream, counted_stream, drive, range,
};

#[tokio::test]
async fn upload_url_is_replayed_byte_for_byte_without_our_credentials() {
    let server = Listener::bind().await;
    let target = "/a'b/%7e/./x//y?tempauth='v1.a|b{c}^%2B+%27'&p=(1)!*&e=%";
    let url = UploadUrl::new(format!("{}{target}", server.base_url));
    let drive = drive(&server.base_url);
    let put = drive.put_fragment(&url, range(100, 300, 1000), byte_stream(200));
    let serve = async {
        let mut connection = server.accept().await;
        let (head, body) = connection.read_request().await;
        connection.respond("202 Accepted", "", r#"{"nextExpectedRanges":["300-"]}"#).await;
        (head, body.len())
    };

    let (result, (head, body_len)) = tokio::join!(put, serve);

    let next = Some(ExpectedRange::open(300));
    assert_eq!(result.unwrap(), FragmentResult::Accepted { next });
    assert_eq!(body_len, 200);
    let host = server.base_url.trim_start_matches("http://");
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
    let drive = drive(&server.base_url);
    for (written, sent) in [
        ("/a b/`c`?key=x y", "/a%20b/%60c%60?key=x%20y"),
        ("/up?key=a\"b<c>d%20e%", "/up?key=a%22b%3Cc%3Ed%20e%"),
        ("/up/^<?key='a|b{c}^'+ +%2B", "/up/%5E%3C?key='a%7Cb%7Bc%7D%5E'+%20+%2B"),
    ] {
        let url = UploadUrl::new(format!("{}{written}", server.base_url));
        let put = drive.put_fragment(&url, range(0, 100, 300), byte_stream(100));
        let serve = async {
            let mut connection = server.accept().await;
            let (head, _) = connection.read_request().await;
            connection.respond("202 Accepted", "connection: close\r\n", "").await;
            head
        };

        let (result, head) = tokio::join!(put, serve);

        assert_eq!(result.unwrap(), FragmentResult::Accepted { next: None });
        assert_eq!(head.lines().next(), Some(format!("PUT {sent} HTTP/1.1").as_str()));
    }
}

#[tokio::test]
async fn upload_url_of_a_foreign_host_is_never_connected_to() {
    let graph = Listener::bind().await;
    let foreign_server = Listener::bind().await;
    let drive = drive(&graph.base_url);
    // The client may send uploads only to 127.0.0.1, the host of Graph.
    let foreign_base_url = foreign_server.base_url.replace("127.0.0.1", "127.0.0.2");
    let url = UploadUrl::new(foreign_base_url + "/up?x");
    let read_chunks = Arc::new(AtomicU32::new(0));
    let put = drive.put_fragment(&url, range(0, 300, 300), counted_stream(300, &read_chunks)).await;
    let Err(DriveError::Refused { code }) = put else { panic!("{put:?}") };
    assert_eq!(code, "uploadHostNotAllowed");
    assert_eq!(read_chunks.load(Ordering::SeqCst), 0);

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
async fn status_and_delete_use_the_unchanged_upload_url() {
    let server = Listener::bind().await;
    let drive = drive(&server.base_url);
    let url = UploadUrl::new(format!("{}/up?tempauth='s'", server.base_url));
    let client = async {
        let status = drive.session_status(&url).await.unwrap();
        drive.delete_session(&url).await.unwrap();
        drive.delete_session(&url).await.unwrap();
        let status_after_deletion = drive.session_status(&url).await;
        (status.next, status_after_deletion)
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
            heads.push(connection.read_head().await);
            connection.respond(status, "", body).await;
        }
        heads
    };

    let ((next, status_after_deletion), heads) = tokio::join!(client, serve);

    assert_eq!(next, Some(ExpectedRange { start: 26, end: Some(100) }));
    assert!(matches!(status_after_deletion, Err(DriveError::SessionGone)));
    let host = server.base_url.trim_start_matches("http://");
    let head = |method| format!("{method} /up?tempauth='s' HTTP/1.1\r\nhost: {host}\r\n\r\n");
    assert_eq!(heads, [head("GET"), head("DELETE"), head("DELETE"), head("GET")]);
}

#[tokio::test]
async fn plain_http_upload_url_is_rejected_if_graph_uses_https() {
    let server = Listener::bind().await;
    let mut settings = GraphSettings::public_cloud("tenant");
    settings.upload_hosts.push("127.0.0.1".into());
    let drive =
        GraphDrive::new(&settings, CountingCredentials::default(), ManualClock::default()).unwrap();
    let url = server.upload_url();

    tokio::select! {
        status = drive.session_status(&url) => {
            assert!(matches!(status, Err(DriveError::Refused { .. })), "{status:?}");
        }
        _ = server.accept() => panic!("a secret was sent unencrypted"),
    }
}
