use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use docferry_app::ports::{Cause, Receiver, ReceiverError};
use docferry_app::trace::TRACEPARENT;
use docferry_contract::webhook::WebhookBody;
use docferry_domain::{CallbackRule, Notice};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use reqwest::dns::Resolve;
use reqwest::redirect;

use crate::guard::{Forbidden, Guard, SystemResolver};
use crate::signature::{SecretProvider, sign};

/// How a receiver is called.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverSettings {
    /// Which addresses may be called.
    pub rule: CallbackRule,
    /// Limit for finding the address and connecting.
    pub connect_timeout: Duration,
    /// Limit for the whole call, connecting included.
    pub timeout: Duration,
}

impl ReceiverSettings {
    /// The usual time-outs: 3 s and 10 s.
    #[must_use]
    pub const fn new(rule: CallbackRule) -> Self {
        Self { rule, connect_timeout: Duration::from_secs(3), timeout: Duration::from_secs(10) }
    }
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be set up")]
pub struct SetupError(#[source] Cause);

/// Tells receivers by HTTP.
#[derive(Debug)]
pub struct HttpReceiver<P> {
    http: reqwest::Client,
    rule: CallbackRule,
    provider: P,
}

impl<P: SecretProvider> HttpReceiver<P> {
    /// A client; nothing is sent until it is used.
    ///
    /// # Errors
    /// [`SetupError`] when the TLS stack does not start.
    pub fn new(settings: ReceiverSettings, provider: P) -> Result<Self, SetupError> {
        Self::with_resolver(settings, provider, Arc::new(SystemResolver))
    }

    /// The same with names that another resolver knows.
    ///
    /// # Errors
    /// As [`HttpReceiver::new`].
    pub fn with_resolver(
        settings: ReceiverSettings,
        provider: P,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, SetupError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("docferry/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            // A proxy would look names up by itself.
            .no_proxy()
            .dns_resolver(Arc::new(Guard::new(settings.rule, resolver)))
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            // Each call is a connection, and each connection is checked.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| SetupError(error.without_url().into()))?;
        Ok(Self { http, rule: settings.rule, provider })
    }
}

impl<P: SecretProvider> Receiver for HttpReceiver<P> {
    async fn deliver(&self, notice: &Notice, now: Timestamp) -> Result<(), ReceiverError> {
        // The client does not ask the resolver for addresses that stand in the URL.
        let url = notice.callback.open(self.rule).map_err(|_| ReceiverError::Forbidden)?;
        let secrets = self.provider.secrets().await.map_err(|cause| no_secret(&*cause))?;
        let body = serde_json::to_string(&WebhookBody::from(notice))
            .map_err(|_| ReceiverError::Unreachable("there is nothing to tell"))?;
        let (id, timestamp) = (notice.message_id(), now.as_second());
        let signature = sign(&secrets, &id, timestamp, &body).map_err(|error| no_secret(&error))?;
        let mut request = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body);
        if let Some(trace) = &notice.trace {
            request = request.header(TRACEPARENT, trace.as_str());
        }
        match request.send().await {
            // Of the answer nothing else is read: dropping it closes the connection.
            Ok(answer) => judge(answer.status(), answer.headers(), now),
            Err(error) => Err(unreachable(&error)),
        }
    }
}

/// What an answer means, in the one place where that is decided.
fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Result<(), ReceiverError> {
    if status.is_success() {
        Ok(())
    } else if status == StatusCode::GONE {
        Err(ReceiverError::Gone)
    } else {
        let retry_after = retry_after(headers, now);
        Err(ReceiverError::Refused { status: status.as_u16(), retry_after })
    }
}

/// Seconds, or a date (RFC 9110).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    then.duration_since(SystemTime::from(now)).ok()
}

/// In words of ours: those of the libraries name hosts.
fn unreachable(error: &reqwest::Error) -> ReceiverError {
    let mut next = error.source();
    while let Some(cause) = next {
        if cause.is::<Forbidden>() {
            return ReceiverError::Forbidden;
        }
        next = cause.source();
    }
    ReceiverError::Unreachable(if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "no connection was made"
    } else {
        "the connection broke"
    })
}

fn no_secret(error: &(dyn std::error::Error + 'static)) -> ReceiverError {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    ReceiverError::NoSecret(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_success_and_gone_is_for_good() {
        let now = Timestamp::UNIX_EPOCH;
        let judged =
            |status: u16| judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), now);
        assert!([200, 202, 204, 299].map(judged).iter().all(Result::is_ok));
        assert_eq!(judged(410), Err(ReceiverError::Gone));
        for status in [100, 301, 302, 307, 308, 400, 401, 404, 409, 429, 500, 503] {
            assert_eq!(judged(status), Err(ReceiverError::Refused { status, retry_after: None }));
        }
    }

    #[test]
    fn a_wish_to_be_left_alone_is_seconds_or_a_date_to_come() {
        let now = Timestamp::from_second(784_111_777).unwrap();
        let wish = |text: &str| {
            let value = text.parse().unwrap();
            retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, value)]), now)
        };
        assert_eq!(wish("120"), Some(Duration::from_secs(120)));
        assert_eq!(wish("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        for text in ["", "-1", "soon", "Sun, 06 Nov 1994 08:00:00 GMT"] {
            assert_eq!(wish(text), None, "{text}");
        }
    }
}
