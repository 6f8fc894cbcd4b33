//! Helpers of the tests of the webhook client: signing secrets, notifications and local servers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_app::ports::{Cause, ReceiverError, WebhookReceiver as _};
use docferry_domain::callback::{CallbackRule, CallbackUrl};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job::WebhookNotification;
use docferry_domain::phase::Phase;
use docferry_webhook::{HttpWebhookReceiver, ReceiverSettings, SecretProvider, SigningSecrets};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// Current signing secret: 24 bytes in base64, with the prefix `whsec_`.
pub(crate) const CURRENT_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Previous signing secret: 24 bytes in base64, without the prefix.
pub(crate) const PREVIOUS_SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Provider of the current secret and, if set, the previous one.
pub(crate) struct FixedSecrets {
    pub(crate) previous: Option<&'static str>,
}

impl SecretProvider for FixedSecrets {
    async fn secrets(&self) -> Result<SigningSecrets, Cause> {
        let previous = self.previous.map(Into::into);
        Ok(SigningSecrets { current: CURRENT_SECRET.into(), previous })
    }
}

/// Provider whose secrets cannot be read.
pub(crate) struct NoSecrets;

impl SecretProvider for NoSecrets {
    async fn secrets(&self) -> Result<SigningSecrets, Cause> {
        Err("AccessDenied".into())
    }
}

/// Trace context of all notifications.
pub(crate) const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Time of all deliveries, in seconds since 1970.
pub(crate) const NOW_SECONDS: i64 = 1_795_510_000;

/// Time of all deliveries.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW_SECONDS).unwrap()
}

/// Settings that allow the local test servers.
pub(crate) fn loopback_settings() -> ReceiverSettings {
    ReceiverSettings::new(CallbackRule::PublicAndLoopback)
}

/// Returns a notification about a failed job.
pub(crate) fn notification_to(url: &str, rule: CallbackRule) -> WebhookNotification {
    WebhookNotification {
        job_id: TransferId::from_u128(7),
        end_number: 3,
        callback: CallbackUrl::parse(url, rule).unwrap(),
        outcome: Phase::Failed,
        failure: Some(FailureCode::QuotaExceeded),
        runs: 2,
        documents: 1,
        failed_documents: Some(0),
        ended_at: Timestamp::UNIX_EPOCH,
        trace: Some(TRACEPARENT.parse().unwrap()),
    }
}

/// Delivers a notification to this URL.
pub(crate) async fn deliver_to(url: &str) -> Result<(), ReceiverError> {
    deliver_with(loopback_settings(), url).await
}

/// Delivers a notification to this URL, with these settings.
pub(crate) async fn deliver_with(
    settings: ReceiverSettings,
    url: &str,
) -> Result<(), ReceiverError> {
    let receiver = HttpWebhookReceiver::new(settings, FixedSecrets { previous: None }).unwrap();
    receiver.deliver(&notification_to(url, CallbackRule::PublicAndLoopback), now()).await
}

/// Starts a server that gives this response to each notification.
pub(crate) async fn start_server_with_response(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(response).mount(&server).await;
    server
}

/// Computes the signature as Standard Webhooks describes it. It does not use the code under test.
pub(crate) fn expected_signature(secret: &str, request: &Request) -> String {
    let header = |name: &str| request.headers[name].to_str().unwrap();
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    mac.update(&request.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
