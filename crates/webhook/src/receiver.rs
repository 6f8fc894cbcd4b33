//! HTTP client that delivers webhook notifications.
//!
//! A notification reports the end of a job to the receiver: the HTTPS endpoint whose URL the caller
//! of docferry has chosen. The application calls [`HttpWebhookReceiver`] through the port
//! [`WebhookReceiver`], and decides by the [`ReceiverError`] whether to retry.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use docferry_app::ports::{Cause, ReceiverError, WebhookReceiver};
use docferry_app::trace::TRACEPARENT;
use docferry_contract::webhook::WebhookBody;
use docferry_domain::callback::CallbackRule;
use docferry_domain::job::WebhookNotification;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use reqwest::dns::Resolve;
use reqwest::redirect;

use crate::guard::{Forbidden, Guard, SystemResolver};
use crate::signature::{SecretProvider, sign};

/// Default time limit for resolving the host name and connecting.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Default time limit of the whole call.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings for the delivery of notifications.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverSettings {
    /// Rule that defines which IP addresses may be called.
    pub rule: CallbackRule,
    /// Time limit for resolving the host name and connecting.
    pub connect_timeout: Duration,
    /// Time limit of the whole call, including connecting.
    pub timeout: Duration,
}

impl ReceiverSettings {
    /// Returns settings with the default timeouts: 3 s for connecting and 10 s in total.
    #[must_use]
    pub const fn new(rule: CallbackRule) -> Self {
        Self { rule, connect_timeout: DEFAULT_CONNECT_TIMEOUT, timeout: DEFAULT_TIMEOUT }
    }
}

/// Failure to create the client.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be set up")]
pub struct SetupError(#[source] Cause);

/// [`WebhookReceiver`] that delivers notifications by HTTP.
#[derive(Debug)]
pub struct HttpWebhookReceiver<P> {
    http: reqwest::Client,
    rule: CallbackRule,
    /// Source of the secrets with which notifications are signed.
    secret_provider: P,
}

impl<P: SecretProvider> HttpWebhookReceiver<P> {
    /// Creates a client without sending a request. Host names are resolved by the operating system.
    ///
    /// # Errors
    /// [`SetupError`] if the TLS stack cannot be set up.
    pub fn new(settings: ReceiverSettings, secret_provider: P) -> Result<Self, SetupError> {
        Self::with_resolver(settings, secret_provider, Arc::new(SystemResolver))
    }

    /// Creates a client that resolves host names with `resolver`, which tests replace.
    ///
    /// # Errors
    /// [`SetupError`] if the TLS stack cannot be set up.
    pub fn with_resolver(
        settings: ReceiverSettings,
        secret_provider: P,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, SetupError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("docferry/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            // A proxy would resolve host names itself and so bypass the guard.
            .no_proxy()
            .dns_resolver(Arc::new(Guard::new(settings.rule, resolver)))
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            // Addresses are checked when a connection is opened, so no connection is reused.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| SetupError(error.without_url().into()))?;
        Ok(Self { http, rule: settings.rule, secret_provider })
    }
}

impl<P: SecretProvider> WebhookReceiver for HttpWebhookReceiver<P> {
    async fn deliver(
        &self,
        notification: &WebhookNotification,
        now: Timestamp,
    ) -> Result<(), ReceiverError> {
        // If the URL contains an IP address, the HTTP client does not call the resolver. The
        // address is therefore checked here.
        let url = notification.callback.open(self.rule).map_err(|_| ReceiverError::Forbidden)?;
        let secrets =
            self.secret_provider.secrets().await.map_err(|cause| secret_error(&*cause))?;
        let body = serde_json::to_string(&WebhookBody::from(notification))
            .map_err(|_| ReceiverError::Unreachable("the notification cannot be serialized"))?;
        let message_id = notification.message_id();
        let timestamp = now.as_second();
        let signature =
            sign(&secrets, &message_id, timestamp, &body).map_err(|error| secret_error(&error))?;
        let mut request = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", message_id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body);
        if let Some(trace) = &notification.trace {
            request = request.header(TRACEPARENT, trace.as_str());
        }
        match request.send().await {
            // The body is not read. The connection is closed when the response is dropped.
            Ok(response) => interpret(response.status(), response.headers(), now),
            Err(error) => Err(connection_error(&error)),
        }
    }
}

/// Interprets the status and headers of the receiver's response.
fn interpret(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Result<(), ReceiverError> {
    if status.is_success() {
        Ok(())
    } else if status == StatusCode::GONE {
        Err(ReceiverError::Gone)
    } else {
        let retry_after = retry_after(headers, now);
        Err(ReceiverError::Refused { status: status.as_u16(), retry_after })
    }
}

/// Returns the delay from the `Retry-After` header, which contains seconds or an HTTP date (RFC
/// 9110). A date in the past is ignored.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let retry_at = httpdate::parse_http_date(text).ok()?;
    retry_at.duration_since(SystemTime::from(now)).ok()
}

/// Returns the error for a call that got no response. The text of the HTTP library's error is not
/// used, because it contains the host.
fn connection_error(error: &reqwest::Error) -> ReceiverError {
    let mut next_cause = error.source();
    while let Some(cause) = next_cause {
        if cause.is::<Forbidden>() {
            return ReceiverError::Forbidden;
        }
        next_cause = cause.source();
    }
    let reason = if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "no connection was made"
    } else {
        "the connection broke"
    };
    ReceiverError::Unreachable(reason)
}

/// Returns the error for missing or invalid signing secrets. Its text contains the texts of the
/// error and of all its causes.
fn secret_error(error: &(dyn std::error::Error + 'static)) -> ReceiverError {
    let mut text = error.to_string();
    let mut next_cause = error.source();
    while let Some(cause) = next_cause {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next_cause = cause.source();
    }
    ReceiverError::NoSecret(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_success_and_410_is_permanent() {
        let now = Timestamp::UNIX_EPOCH;
        let result_for =
            |status: u16| interpret(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), now);
        assert!([200, 202, 204, 299].map(result_for).iter().all(Result::is_ok));
        assert_eq!(result_for(410), Err(ReceiverError::Gone));
        for status in [100, 301, 302, 307, 308, 400, 401, 404, 409, 429, 500, 503] {
            assert_eq!(
                result_for(status),
                Err(ReceiverError::Refused { status, retry_after: None })
            );
        }
    }

    #[test]
    fn retry_after_accepts_seconds_and_future_dates() {
        // 1994-11-06 08:49:37 UTC
        let now = Timestamp::from_second(784_111_777).unwrap();
        let parse = |text: &str| {
            let value = text.parse().unwrap();
            retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, value)]), now)
        };
        assert_eq!(parse("120"), Some(Duration::from_secs(120)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        for text in ["", "-1", "soon", "Sun, 06 Nov 1994 08:00:00 GMT"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
