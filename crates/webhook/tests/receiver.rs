//! Tests of the webhook client against local HTTP servers, and with host names that resolve to
//! addresses that must not be called.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_app::ports::{Cause, ReceiverError, WebhookReceiver as _};
use docferry_domain::callback::{CallbackRule, CallbackUrl};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job::WebhookNotification;
use docferry_domain::phase::Phase;
use docferry_webhook::{
    Guard, HttpWebhookReceiver, ReceiverSettings, SecretProvider, SigningSecrets,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sha2::Sha256;
use tokio::net::TcpListener;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

// Both secrets have 24 bytes.
const CURRENT: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PREVIOUS: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Secrets {
    previous: Option<&'static str>,
}

impl SecretProvider for Secrets {
    async fn secrets(&self) -> Result<SigningSecrets, Cause> {
        let previous = self.previous.map(Into::into);
        Ok(SigningSecrets { current: CURRENT.into(), previous })
    }
}

struct NoSecrets;

impl SecretProvider for NoSecrets {
    async fn secrets(&self) -> Result<SigningSecrets, Cause> {
        Err("AccessDenied".into())
    }
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOW: i64 = 1_795_510_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn loopback_settings() -> ReceiverSettings {
    ReceiverSettings::new(CallbackRule::PublicAndLoopback)
}

fn notice_to(url: &str, rule: CallbackRule) -> WebhookNotification {
    WebhookNotification {
        job_id: TransferId::from_u128(7),
        attempt: 3,
        callback: CallbackUrl::parse(url, rule).unwrap(),
        outcome: Phase::Failed,
        failure: Some(FailureCode::QuotaExceeded),
        runs: 2,
        documents: 1,
        failed_documents: Some(0),
        ended_at: Timestamp::UNIX_EPOCH,
        trace: Some(TRACE.parse().unwrap()),
    }
}

async fn deliver_to(url: &str) -> Result<(), ReceiverError> {
    deliver_with(loopback_settings(), url).await
}

async fn deliver_with(settings: ReceiverSettings, url: &str) -> Result<(), ReceiverError> {
    let receiver = HttpWebhookReceiver::new(settings, Secrets { previous: None }).unwrap();
    receiver.deliver(&notice_to(url, CallbackRule::PublicAndLoopback), now()).await
}

async fn server_with_response(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    server
}

/// Computes the signature as the standard describes it, without the library under test.
fn expected_signature(secret: &str, request: &Request) -> String {
    let header = |name: &str| request.headers[name].to_str().unwrap();
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    mac.update(&request.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn repeated_webhook_has_a_standard_signature_and_the_same_id_and_body() {
    let server = server_with_response(ResponseTemplate::new(204)).await;
    let url = format!("{}/hook?key=1", server.uri());
    deliver_to(&url).await.unwrap();
    deliver_to(&url).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let [first, second] = requests.as_slice() else { panic!("{}", requests.len()) };
    assert_eq!(first.url.query(), Some("key=1"));
    assert_eq!(first.headers["webhook-id"], "00000000000000000000000000000007-3");
    assert_eq!(first.headers["webhook-timestamp"], NOW.to_string());
    assert_eq!(first.headers["content-type"], "application/json");
    assert_eq!(first.headers["traceparent"], TRACE);
    assert_eq!(first.headers["webhook-signature"], expected_signature(CURRENT, first));
    assert_eq!(
        (&first.headers["webhook-id"], &first.body),
        (&second.headers["webhook-id"], &second.body)
    );
    let body: serde_json::Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(body["type"], "download.failed");
    assert_eq!(body["data"]["error"]["code"], "QUOTA_EXCEEDED");
}

#[tokio::test]
async fn webhook_has_two_signatures_during_secret_rotation() {
    let server = server_with_response(ResponseTemplate::new(200)).await;
    let receiver =
        HttpWebhookReceiver::new(loopback_settings(), Secrets { previous: Some(PREVIOUS) })
            .unwrap();
    let notice = notice_to(&server.uri(), CallbackRule::PublicAndLoopback);
    receiver.deliver(&notice, now()).await.unwrap();
    let request = server.received_requests().await.unwrap().remove(0);
    let expected =
        [expected_signature(CURRENT, &request), expected_signature(PREVIOUS, &request)].join(" ");
    assert_eq!(request.headers["webhook-signature"], expected);
}

#[tokio::test]
async fn webhook_is_not_sent_without_a_secret() {
    let server = server_with_response(ResponseTemplate::new(200)).await;
    let receiver = HttpWebhookReceiver::new(loopback_settings(), NoSecrets).unwrap();
    let notice = notice_to(&server.uri(), CallbackRule::PublicAndLoopback);
    let result = receiver.deliver(&notice, now()).await;
    assert_eq!(result, Err(ReceiverError::NoSecret("AccessDenied".into())));
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn webhook_status_410_is_permanent_and_503_is_retryable() {
    let server = server_with_response(ResponseTemplate::new(410)).await;
    assert_eq!(deliver_to(&server.uri()).await, Err(ReceiverError::Gone));
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "60");
    let server = server_with_response(busy).await;
    let retry_after = Some(Duration::from_secs(60));
    assert_eq!(
        deliver_to(&server.uri()).await,
        Err(ReceiverError::Refused { status: 503, retry_after })
    );
}

#[tokio::test]
async fn webhook_redirect_is_not_followed() {
    let elsewhere = server_with_response(ResponseTemplate::new(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = ResponseTemplate::new(status).insert_header("location", elsewhere.uri());
        let server = server_with_response(redirect).await;
        let rejected = ReceiverError::Refused { status, retry_after: None };
        assert_eq!(deliver_to(&server.uri()).await, Err(rejected));
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn slow_or_absent_receiver_is_unreachable_and_not_named_in_errors() {
    let slow =
        server_with_response(ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    let short_timeout =
        ReceiverSettings { timeout: Duration::from_millis(500), ..loopback_settings() };
    let result = deliver_with(short_timeout, &format!("{}/secret", slow.uri())).await;
    assert_eq!(result, Err(ReceiverError::Unreachable("it took too long")));
    let result = deliver_to("http://127.0.0.1:1/secret").await;
    assert_eq!(result, Err(ReceiverError::Unreachable("no connection was made")));
    assert!(!result.unwrap_err().to_string().contains("127.0.0.1"));
}

/// The call ends with the headers of the response; an endless body is not read.
#[tokio::test]
async fn webhook_response_body_is_not_read() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server_task = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _request = stream.read(&mut buffer).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        // Write until the client closes the connection.
        while stream.write_all(&buffer).await.is_ok() {}
    };
    let url = format!("http://{address}/");
    let (result, ()) = tokio::join!(deliver_to(&url), server_task);
    assert_eq!(result, Ok(()));
}

/// Resolver that returns these addresses for every name.
struct FixedResolver(Vec<SocketAddr>);

impl Resolve for FixedResolver {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses = self.0.clone();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

fn resolving_to(addresses: &[&str]) -> Arc<FixedResolver> {
    let parse = |text: &&str| SocketAddr::new(text.parse::<IpAddr>().unwrap(), 0);
    Arc::new(FixedResolver(addresses.iter().map(parse).collect()))
}

#[tokio::test]
async fn host_name_of_a_private_address_is_not_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for addresses in [
        &["127.0.0.1"][..],
        &["10.0.0.1", "169.254.169.254"],
        &["::1", "fd00:ec2::254"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &[],
    ] {
        let settings = ReceiverSettings::new(CallbackRule::Public);
        let secrets = Secrets { previous: None };
        let receiver =
            HttpWebhookReceiver::with_resolver(settings, secrets, resolving_to(addresses)).unwrap();
        let url = format!("https://hooks.docferry.example:{port}/");
        let result = receiver.deliver(&notice_to(&url, CallbackRule::Public), now()).await;
        assert_eq!(result, Err(ReceiverError::Forbidden), "{addresses:?}");
    }
    let connection = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(connection.is_err());
}

#[tokio::test]
async fn resolver_returns_only_allowed_addresses() {
    let found = resolving_to(&["10.0.0.1", "8.8.8.8", "::1", "2606:4700:4700::1111", "127.0.0.1"]);
    let allowed = async |rule| {
        let name = "hooks.docferry.example".parse().unwrap();
        let allowed = Guard::new(rule, found.clone()).resolve(name).await.unwrap();
        allowed.map(|address| address.ip().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(allowed(CallbackRule::Public).await, ["8.8.8.8", "2606:4700:4700::1111"]);
    assert_eq!(
        allowed(CallbackRule::PublicAndLoopback).await,
        ["8.8.8.8", "::1", "2606:4700:4700::1111", "127.0.0.1"]
    );
}

/// An address in the URL that was allowed when the job was created may not be allowed any more
/// when the job ends, so it is checked again.
#[tokio::test]
async fn address_in_the_url_is_checked_at_delivery() {
    let server = server_with_response(ResponseTemplate::new(200)).await;
    let settings = ReceiverSettings::new(CallbackRule::Public);
    let receiver = HttpWebhookReceiver::new(settings, Secrets { previous: None }).unwrap();
    let notice = notice_to(&server.uri(), CallbackRule::PublicAndLoopback);
    assert_eq!(receiver.deliver(&notice, now()).await, Err(ReceiverError::Forbidden));
    assert!(server.received_requests().await.unwrap().is_empty());
}
