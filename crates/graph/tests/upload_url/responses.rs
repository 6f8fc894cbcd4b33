//! Tests of the responses of an upload URL: to fragments, to requests for the status of the upload
//! session, and to its deletion.

use std::time::Duration;

use docferry_app::ports::{Drive as _, DriveError, FragmentResult};
use docferry_domain::upload::ExpectedRange;

use crate::support::{Listener, byte_stream, drive, range};

/// A complete item, as in the response to the last fragment.
const ITEM_JSON: &str =
    r#"{"id":"i-1","name":"a.pdf","size":300,"file":{"hashes":{"quickXorHash":"aaa="}}}"#;

#[tokio::test]
async fn fragments_share_a_connection_and_the_last_one_completes_the_upload() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base_url), server.upload_url());
    let first_range = range(0, 100_000, 100_300);
    let last_range = range(100_000, 100_300, 100_300);
    let client = async {
        let first = drive.put_fragment(&url, first_range, byte_stream(100_000)).await;
        let last = drive.put_fragment(&url, last_range, byte_stream(300)).await;
        let repeated = drive.put_fragment(&url, last_range, byte_stream(300)).await;
        (first.unwrap(), last.unwrap(), repeated)
    };
    let serve = async {
        let mut connection = server.accept().await;
        for (status, body) in [("202 Accepted", ""), ("201 Created", ITEM_JSON), ("200 OK", "")] {
            connection.read_request().await;
            connection.respond(status, "", body).await;
        }
    };

    let ((first, last, repeated), ()) = tokio::join!(client, serve);

    assert_eq!(first, FragmentResult::Accepted { next: None });
    let FragmentResult::Completed(item) = last else { panic!("{last:?}") };
    assert_eq!((item.id.as_str(), item.facts.size), ("i-1", 300));
    assert_eq!(item.facts.quick_xor_hash.as_deref(), Some("aaa="));
    // The response to the repeated fragment has no body, so it does not prove completion.
    assert!(matches!(repeated, Err(DriveError::Ambiguous(_))), "{repeated:?}");
}

/// The bodies are an HTML page of a proxy, the progress of a session, items without a name or
/// without a size, and JSON values that are not items.
#[tokio::test]
async fn success_without_an_item_never_completes_a_document() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base_url), server.upload_url());
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
            let first_fragment = range(0, 300, 600);
            let last_fragment = range(0, 300, 300);
            for fragment in [first_fragment, last_fragment] {
                let put = drive.put_fragment(&url, fragment, byte_stream(300));
                let serve = async {
                    let mut connection = server.accept().await;
                    connection.read_request().await;
                    connection.respond(status, "connection: close\r\n", body).await;
                };

                let (result, ()) = tokio::join!(put, serve);

                assert!(matches!(result, Err(DriveError::Ambiguous(_))), "{body}: {result:?}");
            }
        }
    }
}

/// Only 204 proves that the session was open and is now deleted.
#[tokio::test]
async fn html_response_to_a_session_delete_is_ambiguous() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base_url), server.upload_url());
    let delete = drive.delete_session(&url);
    let serve = async {
        let mut connection = server.accept().await;
        connection.read_request().await;
        connection.respond("200 OK", "connection: close\r\n", "<html></html>").await;
    };

    let (end, ()) = tokio::join!(delete, serve);

    assert!(matches!(end, Err(DriveError::Ambiguous(_))), "{end:?}");
}

#[tokio::test]
async fn session_status_reports_the_first_expected_range_with_its_end() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base_url), server.upload_url());
    let status_call = drive.session_status(&url);
    let serve = async {
        let mut connection = server.accept().await;
        connection.read_request().await;
        // The body starts with a byte order mark. The end of a range is inclusive in the response
        // and exclusive in `ExpectedRange`.
        let body = "\u{feff}{\"nextExpectedRanges\":[\"150-\",\"26-99\"]}";
        connection.respond("200 OK", "", body).await;
    };

    let (status, ()) = tokio::join!(status_call, serve);

    assert_eq!(status.unwrap().next, Some(ExpectedRange { start: 26, end: Some(100) }));
}

#[tokio::test]
async fn response_before_the_end_of_the_body_is_received() {
    let server = Listener::bind().await;
    let (drive, url) = (drive(&server.base_url), server.upload_url());
    let put = drive.put_fragment(&url, range(0, 30_000_000, 30_000_000), byte_stream(30_000_000));
    let serve = async {
        let mut connection = server.accept().await;
        connection.read_head().await;
        connection
            .respond("429 Too Many Requests", "retry-after: 9\r\nconnection: close\r\n", "")
            .await;
        // Closing the connection may reset it, so the server waits until the client has the
        // response.
        tokio::time::sleep(Duration::from_millis(200)).await;
    };

    let (result, ()) = tokio::join!(put, serve);

    let Err(DriveError::Throttled { retry_after }) = result else { panic!("{result:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(9)));
}
