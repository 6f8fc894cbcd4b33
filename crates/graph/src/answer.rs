//! HTTP responses of Graph, read completely before they are interpreted.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use docferry_app::ports::Cause;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

/// Limit for response bodies, far above any response that docferry uses.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// Response with its complete body.
#[derive(Debug)]
pub(crate) struct GraphResponse {
    pub(crate) status: StatusCode,
    /// Delay from the `Retry-After` header, if it has a valid one.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl GraphResponse {
    /// Reads the body; fails if it exceeds [`MAX_RESPONSE_BYTES`].
    ///
    /// `now` is the local time. It is used if `Retry-After` is a date and the response has no
    /// `Date` header.
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

/// Parses the `Retry-After` header: seconds or an HTTP date. A date is compared with the
/// response's own `Date`, so that an inaccurate local clock does not matter.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let from = date
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(|| SystemTime::from(now));
    Some(until.duration_since(from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        // Wed, 21 Oct 2015 07:28:00 GMT
        retry_after(&headers, Timestamp::from_second(1_445_412_480).unwrap())
    }

    #[test]
    fn retry_after_accepts_seconds_and_http_dates() {
        let seconds = |n| Some(Duration::from_secs(n));
        let later = ("retry-after", "Wed, 21 Oct 2015 07:30:00 GMT");
        for (headers, wait) in [
            (&[][..], None),
            (&[("retry-after", "0")][..], seconds(0)),
            (&[("retry-after", " 322 ")][..], seconds(322)),
            (&[later][..], seconds(120)),
            (&[later, ("date", "Wed, 21 Oct 2015 07:29:50 GMT")][..], seconds(10)),
            (&[later, ("date", "Wed, 21 Oct 2015 07:31:00 GMT")][..], seconds(0)),
            (&[later, ("date", "never")][..], seconds(120)),
            (&[("retry-after", "soon")][..], None),
            (&[("retry-after", "-1")][..], None),
        ] {
            assert_eq!(parse(headers), wait, "{headers:?}");
        }
    }
}
