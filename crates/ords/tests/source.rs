//! Tests of the client of ORDS, the document source, against a local HTTP server: the requests that
//! the client sends, and how it handles responses and failures.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use docferry_app::ports::{
    Cause, CredentialsProvider, DocumentSource as _, Freshness, SourceError,
};
use docferry_ords::{OrdsCredentials, OrdsSettings, OrdsSource};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use wiremock::matchers::{basic_auth, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// GUID of the document that the tests push.
const GUID: &str = "3q2+7wAA/AAAAAAAAAAAAA==";

/// Provider of credentials whose password may have changed.
#[derive(Default)]
struct Secrets {
    /// Password returned for [`Freshness::Fresh`]; `None` if it has not changed.
    fresh_password: Option<&'static str>,
    /// Number of lookups with [`Freshness::Fresh`].
    fresh_reads: Arc<AtomicU32>,
}

impl CredentialsProvider<OrdsCredentials> for Secrets {
    async fn credentials(&self, lookup: Freshness) -> Result<OrdsCredentials, Cause> {
        let mut password = "p@ss:word";
        if lookup == Freshness::Fresh {
            self.fresh_reads.fetch_add(1, Ordering::SeqCst);
            password = self.fresh_password.unwrap_or(password);
        }
        Ok(OrdsCredentials {
            username: "ords".into(),
            password: password.into(),
            application_id: "APP".into(),
            application_password: "a&b=c+d".into(),
            account_name: "ACCOUNT".into(),
        })
    }
}

/// Settings for a server at `base_url`.
fn settings(base_url: &str) -> OrdsSettings {
    OrdsSettings::new(format!("{base_url}/ords/"), "DB", "nfs-1")
}

fn source_with(base_url: &str, secrets: Secrets) -> OrdsSource<Secrets> {
    OrdsSource::new(settings(base_url), secrets).unwrap()
}

fn source(base_url: &str) -> OrdsSource<Secrets> {
    source_with(base_url, Secrets::default())
}

fn guid() -> docferry_domain::ids::ObjectGuid {
    GUID.parse().unwrap()
}

/// Starts a server that gives this response to each request.
async fn start_server_with_response(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(response).mount(&server).await;
    server
}

#[tokio::test]
async fn push_sends_every_parameter_of_the_contract() {
    let server = MockServer::start().await;
    let body = json!({"filename": "a.pdf", "mimetype": "application/pdf", "sizeval": "12"});
    let mut mock = Mock::given(method("GET"))
        .and(path("/ords/doc/push-to-server"))
        .and(basic_auth("ords", "p@ss:word"));
    for (name, value) in [
        ("document_guid", GUID),
        ("application_id", "APP"),
        ("app_password", "a&b=c+d"),
        ("user_name", "ACCOUNT"),
        ("database_id", "DB"),
        ("ticket_lifetime", "20"),
        ("putid", "SCV"),
        ("server", "nfs-1"),
    ] {
        mock = mock.and(query_param(name, value));
    }
    let response = ResponseTemplate::new(200).set_body_json(body);
    mock.respond_with(response).expect(1).mount(&server).await;

    let document = source(&server.uri()).push(&guid()).await.unwrap();

    assert_eq!(document.filename, "a.pdf");
    assert_eq!(document.size, 12);
}

#[tokio::test]
async fn ping_returns_the_health_text() {
    let server = MockServer::start().await;
    Mock::given(path("/ords/ping"))
        .and(basic_auth("ords", "p@ss:word"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"objcenords status": "OK"})))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(source(&server.uri()).ping().await.unwrap(), "OK");
}

#[tokio::test]
async fn rejected_ords_credentials_are_reread_and_retried_only_if_changed() {
    let server = MockServer::start().await;
    Mock::given(basic_auth("ords", "p@ss:word"))
        .respond_with(ResponseTemplate::new(401))
        .expect(2)
        .mount(&server)
        .await;
    Mock::given(basic_auth("ords", "new"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"objcenords status": "OK"})))
        .expect(1)
        .mount(&server)
        .await;

    let changed = Secrets { fresh_password: Some("new"), ..Secrets::default() };
    assert_eq!(source_with(&server.uri(), changed).ping().await.unwrap(), "OK");

    let unchanged = Secrets::default();
    let reads = Arc::clone(&unchanged.fresh_reads);
    let result = source_with(&server.uri(), unchanged).ping().await;
    assert!(matches!(result, Err(SourceError::Unauthorized)), "{result:?}");
    assert_eq!(reads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn connection_failures_are_unavailable_and_show_no_secret() {
    let slow_server =
        start_server_with_response(ResponseTemplate::new(200).set_delay(Duration::from_secs(5)))
            .await;
    let broken_server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let broken_url = format!("http://{}", broken_server.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = broken_server.accept().await.unwrap();
            let truncated_response = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"filename\":";
            tcp.write_all(truncated_response).await.unwrap();
        }
    });
    for base_url in [slow_server.uri().as_str(), &broken_url, "http://127.0.0.1:1"] {
        let short_timeout =
            OrdsSettings { timeout: Duration::from_millis(500), ..settings(base_url) };
        let source = OrdsSource::new(short_timeout, Secrets::default()).unwrap();
        let error = source.push(&guid()).await.unwrap_err();
        let SourceError::Unavailable(cause) = error else { panic!("{error:?}") };
        let text = format!("{cause} {cause:?}");
        for secret in ["a%26b", "app_password", "p@ss", GUID] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn ords_redirect_is_not_followed() {
    let redirect_target = MockServer::start().await;
    let redirect =
        ResponseTemplate::new(302).insert_header("location", redirect_target.uri().as_str());
    let server = start_server_with_response(redirect).await;
    let result = source(&server.uri()).push(&guid()).await;
    assert!(matches!(result, Err(SourceError::InvalidAnswer)), "{result:?}");
    assert!(redirect_target.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn oversized_response_is_invalid() {
    let body = format!("{{\"filename\":\"{}", "a".repeat(200_000));
    let server =
        start_server_with_response(ResponseTemplate::new(200).set_body_string(body.clone())).await;
    let result = source(&server.uri()).push(&guid()).await;
    assert!(matches!(result, Err(SourceError::InvalidAnswer)), "{result:?}");

    let server = start_server_with_response(ResponseTemplate::new(404).set_body_string(body)).await;
    let result = source(&server.uri()).push(&guid()).await;
    assert!(matches!(result, Err(SourceError::NotFound)), "{result:?}");
}
