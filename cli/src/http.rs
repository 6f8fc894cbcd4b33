//! HTTP helpers that all calls of the client share: the settings of connections, the `Retry-After`
//! header, and response bodies.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, redirect};
use url::{Host, Url};

use crate::error::ClientError;

/// Time limit for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of a response body. Every document of docferry's API is far smaller, so a longer
/// body comes from another server.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// Returns an HTTP client builder with the settings of all calls: no redirects, and no
/// proxy for loopback addresses.
pub(crate) fn http_for(url: &Url) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("docferry/", env!("CARGO_PKG_VERSION")));
    if is_loopback(url) { builder.no_proxy() } else { builder }
}

/// Returns whether a URL names this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Reads the header `Retry-After` as a duration. The header contains seconds or a date. A date is
/// compared with the `Date` header of the same response, so that a wrong clock on either side does
/// not matter.
pub(crate) fn parse_retry_after(headers: &HeaderMap) -> Option<Duration> {
    let header_text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let value = header_text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let retry_at = httpdate::parse_http_date(value).ok()?;
    let sent_at = httpdate::parse_http_date(header_text(DATE)?).ok()?;
    Some(retry_at.duration_since(sent_at).unwrap_or_default())
}

/// Reads a response body of at most [`MAX_RESPONSE_BYTES`].
pub(crate) async fn read_body(mut response: Response) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(ClientError::InvalidResponse {
                status: response.status().as_u16(),
                reason: "the body is too long".into(),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn retry_after_is_parsed_as_seconds_or_date() {
        assert_eq!(
            parse_retry_after(&headers(&[("retry-after", "3")])),
            Some(Duration::from_secs(3))
        );
        let dated = headers(&[
            ("date", "Mon, 23 Nov 2026 09:00:00 GMT"),
            ("retry-after", "Mon, 23 Nov 2026 09:00:07 GMT"),
        ]);
        assert_eq!(parse_retry_after(&dated), Some(Duration::from_secs(7)));
        assert_eq!(parse_retry_after(&headers(&[("retry-after", "soon")])), None);
        assert_eq!(parse_retry_after(&headers(&[])), None);
    }
}
