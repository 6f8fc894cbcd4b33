//! Tests of the delivery of webhook notifications: their signatures, and the handling of the
//! receiver's responses and failures.

use std::time::Duration;

use docferry_app::ports::{ReceiverError, WebhookReceiver as _};
use docferry_domain::callback::CallbackRule;
use docferry_webhook::{HttpWebhookReceiver, ReceiverSettings};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use crate::support::{
    CURRENT_SECRET, FixedSecrets, NOW_SECONDS, NoSecrets, PREVIOUS_SECRET, TRACEPARENT, deliver_to,
    deliver_with, expected_signature, loopback_settings, notification_to, now,
    start_server_with_response,
};

#[tokio::test]
async fn repeated_webhook_has_a_standard_signature_and_the_same_id_and_body() {
    let server = start_server_with_response(ResponseTemplate::new(204)).await;
    let url = format!("{}/hook?key=1", server.uri());

    deliver_to(&url).await.unwrap();
    deliver_to(&url).await.unwrap();

    let requests = server.received_requests().await.unwrap();
    let [first, second] = requests.as_slice() else { panic!("{}", requests.len()) };
    assert_eq!(first.url.query(), Some("key=1"));
    // The id consists of the fields `job_id` and `end_number` of the notification.
    assert_eq!(first.headers["webhook-id"], "00000000000000000000000000000007-3");
    assert_eq!(first.headers["webhook-timestamp"], NOW_SECONDS.to_string());
    assert_eq!(first.headers["content-type"], "application/json");
    assert_eq!(first.headers["traceparent"], TRACEPARENT);
    assert_eq!(first.headers["webhook-signature"], expected_signature(CURRENT_SECRET, first));
    assert_eq!(first.headers["webhook-id"], second.headers["webhook-id"]);
    assert_eq!(first.body, second.body);

    let body: serde_json::Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(body["type"], "download.failed");
    assert_eq!(body["data"]["error"]["code"], "QUOTA_EXCEEDED");
}

#[tokio::test]
async fn webhook_has_two_signatures_during_secret_rotation() {
    let server = start_server_with_response(ResponseTemplate::new(200)).await;
    let receiver = HttpWebhookReceiver::new(
        loopback_settings(),
        FixedSecrets { previous: Some(PREVIOUS_SECRET) },
    )
    .unwrap();
    let notification = notification_to(&server.uri(), CallbackRule::PublicAndLoopback);

    receiver.deliver(&notification, now()).await.unwrap();

    let request = server.received_requests().await.unwrap().remove(0);
    let expected = [
        expected_signature(CURRENT_SECRET, &request),
        expected_signature(PREVIOUS_SECRET, &request),
    ]
    .join(" ");
    assert_eq!(request.headers["webhook-signature"], expected);
}

#[tokio::test]
async fn webhook_is_not_sent_without_a_secret() {
    let server = start_server_with_response(ResponseTemplate::new(200)).await;
    let receiver = HttpWebhookReceiver::new(loopback_settings(), NoSecrets).unwrap();
    let notification = notification_to(&server.uri(), CallbackRule::PublicAndLoopback);

    let result = receiver.deliver(&notification, now()).await;

    assert_eq!(result, Err(ReceiverError::NoSecret("AccessDenied".into())));
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn webhook_status_410_is_permanent_and_503_is_retryable() {
    let server = start_server_with_response(ResponseTemplate::new(410)).await;
    assert_eq!(deliver_to(&server.uri()).await, Err(ReceiverError::Gone));

    let busy = ResponseTemplate::new(503).insert_header("retry-after", "60");
    let server = start_server_with_response(busy).await;
    let retry_after = Some(Duration::from_secs(60));
    assert_eq!(
        deliver_to(&server.uri()).await,
        Err(ReceiverError::Refused { status: 503, retry_after })
    );
}

#[tokio::test]
async fn webhook_redirect_is_not_followed() {
    let redirect_target = start_server_with_response(ResponseTemplate::new(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let redirect =
            ResponseTemplate::new(status).insert_header("location", redirect_target.uri());
        let server = start_server_with_response(redirect).await;
        let rejected = ReceiverError::Refused { status, retry_after: None };
        assert_eq!(deliver_to(&server.uri()).await, Err(rejected));
    }
    assert!(redirect_target.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn slow_or_absent_receiver_is_unreachable_and_not_named_in_errors() {
    let slow =
        start_server_with_response(ResponseTemplate::new(200).set_delay(Duration::from_secs(30)))
            .await;
    let short_timeout =
        ReceiverSettings { timeout: Duration::from_millis(500), ..loopback_settings() };
    let result = deliver_with(short_timeout, &format!("{}/secret", slow.uri())).await;
    assert_eq!(result, Err(ReceiverError::Unreachable("it took too long")));

    // No server listens on port 1.
    let result = deliver_to("http://127.0.0.1:1/secret").await;
    assert_eq!(result, Err(ReceiverError::Unreachable("no connection was made")));
    assert!(!result.unwrap_err().to_string().contains("127.0.0.1"));
}

/// The call ends when the headers of the response have arrived, even if the body never ends.
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
