//! [`GraphResponse`]: an HTTP response of Microsoft Graph with its complete body. Both HTTP clients
//! of this crate return it; other modules interpret its status and its body.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use docferry_app::ports::Cause;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

/// Maximum size of a response body, far above the size of any response that docferry uses.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// HTTP response with its complete body.
#[derive(Debug)]
pub(crate) struct GraphResponse {
    pub(crate) status: StatusCode,
    /// Delay from the `Retry-After` header, if it has a valid one.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl GraphResponse {
    /// Reads the body. Fails if it exceeds [`MAX_RESPONSE_BYTES`].
    ///
    /// `now` is the local time. [`retry_after`] uses it if the response has no `Date` header.
    pub(crate) async fn read<B>(response: Response<B>, now: Timestamp) -> Result<Self, Cause>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Cause>,
    {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await?;
        Ok(Self {
            status: head.status,
            retry_after: retry_after(&head.headers, now),
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    /// Parses the body as JSON, with or without a byte order mark. Returns `None` if it is not
    /// JSON of this type.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        serde_json::from_slice(body).ok()
    }
}

/// Returns the delay from the `Retry-After` header, which contains seconds or an HTTP date. A date
/// is compared with the `Date` header of the same response, so an inaccurate local clock does not
/// change the delay. Without a `Date` header, the date is compared with `now`.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let retry_at = httpdate::parse_http_date(text).ok()?;
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let sent_at = date
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(|| SystemTime::from(now));
    Some(retry_at.duration_since(sent_at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 07:28:00 on 21 October 2015, the local time of the tests.
    const NOW: i64 = 1_445_412_480;

    /// Two minutes after [`NOW`].
    const RETRY_AT: &str = "Wed, 21 Oct 2015 07:30:00 GMT";

    /// Returns the delay of a response with these headers, in seconds.
    fn delay(retry_after_value: Option<&'static str>, date: Option<&'static str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in [(RETRY_AFTER, retry_after_value), (DATE, date)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        let now = Timestamp::from_second(NOW).unwrap();
        retry_after(&headers, now).map(|delay| delay.as_secs())
    }

    #[test]
    fn retry_after_accepts_seconds() {
        assert_eq!(delay(Some("0"), None), Some(0));
        assert_eq!(delay(Some(" 322 "), None), Some(322));
    }

    #[test]
    fn retry_after_date_is_compared_with_the_date_of_the_response() {
        assert_eq!(delay(Some(RETRY_AT), Some("Wed, 21 Oct 2015 07:29:50 GMT")), Some(10));
        assert_eq!(delay(Some(RETRY_AT), Some("Wed, 21 Oct 2015 07:31:00 GMT")), Some(0));
    }

    #[test]
    fn retry_after_date_is_compared_with_local_time_without_a_valid_date() {
        assert_eq!(delay(Some(RETRY_AT), None), Some(120));
        assert_eq!(delay(Some(RETRY_AT), Some("never")), Some(120));
    }

    #[test]
    fn missing_or_invalid_retry_after_gives_no_delay() {
        assert_eq!(delay(None, None), None);
        assert_eq!(delay(Some("soon"), None), None);
        assert_eq!(delay(Some("-1"), None), None);
    }
}
