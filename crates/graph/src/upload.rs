//! HTTP client for URLs that contain their own credential: upload URLs, to which the fragments of a
//! document are sent, and pre-authenticated download URLs. Microsoft Graph issues both.

use std::time::Duration;

use docferry_app::ports::{ByteStream, Cause, Clock, DriveError, UploadUrl};
use docferry_app::trace::{self, TRACEPARENT};
use docferry_domain::upload::FragmentRange;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{HeaderValue, Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::body::{BodyWatch, FragmentBody};
use crate::hosts::UploadHosts;
use crate::response::GraphResponse;
use crate::settings::GraphSettings;

/// Time without a TCP acknowledgement after which a connection counts as dead. Lambda freezes a
/// function between two invocations, and a connection may break in that time.
const DEAD_CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Time after which the client closes an idle connection. Graph would keep the connection open much
/// longer.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Characters that a URL may not contain and that clients therefore percent-encode (WHATWG URL).
/// The server decodes them to the same text.
const INVALID_IN_URL: &AsciiSet = &AsciiSet::EMPTY
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Client for URLs that contain their own credential. It adds no other credential to a request, and
/// no header except those of the trace, the range and the body.
///
/// It uses HTTP/1.1 only. A connection sends one fragment at a time, so HTTP/2 has no advantage.
/// The flow-control window of HTTP/2 would slow large uploads down.
pub(crate) struct Uploads {
    http: Client<HttpsConnector<HttpConnector>, FragmentBody>,
    /// Hosts to which a request may be sent.
    hosts: UploadHosts,
    /// Time limit of a request without a body.
    call_timeout: Duration,
    /// Time without progress after which a fragment counts as lost.
    stall_timeout: Duration,
}

impl Uploads {
    pub(crate) fn new(settings: &GraphSettings, tls: ClientConfig) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        tcp.set_keepalive(Some(DEAD_CONNECTION_TIMEOUT));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(DEAD_CONNECTION_TIMEOUT));
        let schemes = HttpsConnectorBuilder::new().with_tls_config(tls);
        // An upload URL is a secret. It is sent over http only if Graph's own URL is http, that
        // is, to a simulator.
        let schemes = if settings.graph_url.starts_with("http:") {
            schemes.https_or_http()
        } else {
            schemes.https_only()
        };
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(schemes.enable_http1().wrap_connector(tcp));
        Self {
            http,
            hosts: UploadHosts::new(&settings.graph_url, &settings.upload_hosts),
            call_timeout: settings.call_timeout,
            stall_timeout: settings.stall_timeout,
        }
    }

    /// Sends a request without a body to an upload URL.
    pub(crate) async fn call(
        &self,
        method: Method,
        url: &UploadUrl,
        clock: &impl Clock,
    ) -> Result<GraphResponse, DriveError> {
        let (body, watch) = FragmentBody::empty();
        let request = self.new_request(method, url, body)?;
        match timeout(self.call_timeout, self.send(request, clock)).await {
            Ok(response) => response.map_err(|cause| to_drive_error(&watch, cause)),
            Err(elapsed) => Err(DriveError::Ambiguous(elapsed.into())),
        }
    }

    /// Reads a byte range of a document from a pre-authenticated download URL. `range` is the
    /// value of the `Range` header.
    pub(crate) async fn download(
        &self,
        url: &UploadUrl,
        range: HeaderValue,
        clock: &impl Clock,
    ) -> Result<GraphResponse, DriveError> {
        let (body, watch) = FragmentBody::empty();
        let mut request = self.new_request(Method::GET, url, body)?;
        request.headers_mut().insert(RANGE, range);
        match timeout(self.call_timeout, self.send(request, clock)).await {
            Ok(response) => response.map_err(|cause| to_drive_error(&watch, cause)),
            Err(elapsed) => Err(DriveError::Ambiguous(elapsed.into())),
        }
    }

    /// Sends one fragment of a document. `stream` yields the bytes of the fragment.
    pub(crate) async fn put(
        &self,
        url: &UploadUrl,
        range: FragmentRange,
        stream: ByteStream,
        clock: &impl Clock,
    ) -> Result<GraphResponse, DriveError> {
        let (body, watch) = FragmentBody::new(stream, range.len());
        let mut request = self.new_request(Method::PUT, url, body)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_LENGTH, range.len().into());
        headers.insert(CONTENT_RANGE, content_range(range)?);
        tokio::select! {
            response = self.send(request, clock) => {
                response.map_err(|cause| to_drive_error(&watch, cause))
            }
            () = watch.stalled(self.stall_timeout) => {
                Err(DriveError::Ambiguous("the fragment stalled".into()))
            }
        }
    }

    /// Creates a request to a URL. If there is a current trace, the request has its header, and it
    /// has no other header.
    fn new_request(
        &self,
        method: Method,
        url: &UploadUrl,
        body: FragmentBody,
    ) -> Result<Request<FragmentBody>, DriveError> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.target(url)?;
        let trace = trace::current().and_then(|trace| trace.as_str().parse().ok());
        if let Some(trace) = trace {
            request.headers_mut().insert(TRACEPARENT, trace);
        }
        Ok(request)
    }

    /// Converts a URL to a request target. Fails if the URL is invalid or names a host that is not
    /// allowed.
    pub(crate) fn target(&self, url: &UploadUrl) -> Result<Uri, DriveError> {
        let rejected = |code: &str| DriveError::Refused { code: code.into() };
        let uri = parse(url).ok_or_else(|| rejected("invalidUploadUrl"))?;
        if self.hosts.allow(&uri) { Ok(uri) } else { Err(rejected("uploadHostNotAllowed")) }
    }

    /// Sends a request and reads the response.
    async fn send(
        &self,
        request: Request<FragmentBody>,
        clock: &impl Clock,
    ) -> Result<GraphResponse, Cause> {
        let response = self.http.request(request).await?;
        GraphResponse::read(response, clock.now()).await
    }
}

/// Parses an absolute URL. If the URL is a valid request target, it stays the same byte for byte.
/// If it is not, the invalid characters of its path and query are percent-encoded.
///
/// Returns `None` if the URL is not absolute, contains control characters or contains `#`. HTTP
/// clients do not send the part after `#`, so the server would receive a truncated URL.
fn parse(url: &UploadUrl) -> Option<Uri> {
    let text = url.expose();
    if text.contains('#') || text.chars().any(char::is_control) {
        return None;
    }
    let uri: Uri = text.parse().ok().or_else(|| encode_path_and_query(text)?.parse().ok())?;
    (uri.scheme().is_some() && uri.host().is_some()).then_some(uri)
}

/// Percent-encodes the invalid characters in the path and the query of a URL.
fn encode_path_and_query(url: &str) -> Option<String> {
    let authority_start = url.find("://")? + 3;
    let path_start = authority_start + url.get(authority_start..)?.find(['/', '?'])?;
    let (origin, path_and_query) = url.split_at_checked(path_start)?;
    // Non-ASCII characters are always encoded, as UTF-8.
    Some(format!("{origin}{}", utf8_percent_encode(path_and_query, INVALID_IN_URL)))
}

/// Returns the value of the `Content-Range` header. Fails if the range is empty or ends after the
/// end of the document.
fn content_range(range: FragmentRange) -> Result<HeaderValue, DriveError> {
    let FragmentRange { start, end, total } = range;
    end.checked_sub(1)
        .filter(|last| start <= *last && end <= total)
        .and_then(|last| HeaderValue::try_from(format!("bytes {start}-{last}/{total}")).ok())
        .ok_or_else(|| DriveError::Refused { code: "invalidRange".into() })
}

/// Returns the error for a request that got no response. If the source of the request body failed,
/// the error is [`DriveError::Body`]. If not, the request may or may not have taken effect.
fn to_drive_error(watch: &BodyWatch, cause: Cause) -> DriveError {
    if watch.source_failed() { DriveError::Body } else { DriveError::Ambiguous(cause) }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;

    use super::*;

    #[test]
    fn every_character_of_an_upload_url_reaches_the_server_unchanged() {
        let ascii_and_latin_letters = '\0'..='\u{17f}';
        let characters = ascii_and_latin_letters.chain("法廷\u{202e}\u{fffd}\u{1f3db}".chars());
        for character in characters {
            let in_path = format!("/a{character}b%20?k=v");
            let in_query = format!("/a?k=x{character}y%2B+");
            for written in [in_path, in_query] {
                let url = UploadUrl::new(format!("https://a.example{written}"));
                if character == '#' || character.is_control() {
                    assert!(parse(&url).is_none(), "{character:?}");
                    continue;
                }

                let target = parse(&url).unwrap().path_and_query().unwrap().to_string();

                let is_sendable = |byte: u8| byte.is_ascii_graphic() || byte >= 0x80;
                assert!(target.bytes().all(is_sendable), "{target}");
                let received = percent_decode_str(&target);
                assert!(received.eq(percent_decode_str(&written)), "{character:?}");
            }
        }
    }
}
