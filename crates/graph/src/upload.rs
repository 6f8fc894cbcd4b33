use std::time::Duration;

use docferry_app::ports::{ByteStream, Cause, Clock, DriveError, UploadUrl};
use docferry_app::trace::{self, TRACEPARENT};
use docferry_domain::FragmentRange;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{HeaderValue, Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::body::{BodyWatch, FragmentBody};
use crate::hosts::UploadHosts;
use crate::settings::GraphSettings;

/// A peer that acknowledges nothing for this long is gone: a function that was
/// frozen between two invocations finds its old connections like this.
const DEAD_PEER: Duration = Duration::from_secs(60);
/// Idle connections are given up well before the service does it.
const IDLE: Duration = Duration::from_secs(30);

/// The client for upload URLs: no credential but the one in the URL, no default
/// header but the trace's, HTTP/1.1 only (one fragment is under way at a time, and a window of
/// HTTP/2 would only slow it down).
pub(crate) struct Uploads {
    http: Client<HttpsConnector<HttpConnector>, FragmentBody>,
    hosts: UploadHosts,
    call_timeout: Duration,
    stall_timeout: Duration,
}

impl Uploads {
    pub(crate) fn new(settings: &GraphSettings, tls: ClientConfig) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        tcp.set_keepalive(Some(DEAD_PEER));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(DEAD_PEER));
        let schemes = HttpsConnectorBuilder::new().with_tls_config(tls);
        // An upload URL is a secret: it crosses the network in the clear only
        // where Graph itself does, on a simulator.
        let schemes = if settings.graph_url.starts_with("http:") {
            schemes.https_or_http()
        } else {
            schemes.https_only()
        };
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(schemes.enable_http1().wrap_connector(tcp));
        Self {
            http,
            hosts: UploadHosts::new(&settings.graph_url, &settings.upload_hosts),
            call_timeout: settings.call_timeout,
            stall_timeout: settings.stall_timeout,
        }
    }

    /// A call without a body.
    pub(crate) async fn call(
        &self,
        method: Method,
        url: &UploadUrl,
        clock: &impl Clock,
    ) -> Result<Answer, DriveError> {
        let (body, watch) = FragmentBody::empty();
        let request = self.request(method, url, body)?;
        match timeout(self.call_timeout, self.send(request, clock)).await {
            Ok(answer) => answer.map_err(|cause| explain(&watch, cause)),
            Err(elapsed) => Err(DriveError::Ambiguous(elapsed.into())),
        }
    }

    /// A part of the content that lies at an address with a credential of its own.
    pub(crate) async fn download(
        &self,
        url: &UploadUrl,
        range: HeaderValue,
        clock: &impl Clock,
    ) -> Result<Answer, DriveError> {
        let (body, watch) = FragmentBody::empty();
        let mut request = self.request(Method::GET, url, body)?;
        request.headers_mut().insert(RANGE, range);
        match timeout(self.call_timeout, self.send(request, clock)).await {
            Ok(answer) => answer.map_err(|cause| explain(&watch, cause)),
            Err(elapsed) => Err(DriveError::Ambiguous(elapsed.into())),
        }
    }

    /// Sends one fragment.
    pub(crate) async fn put(
        &self,
        url: &UploadUrl,
        range: FragmentRange,
        stream: ByteStream,
        clock: &impl Clock,
    ) -> Result<Answer, DriveError> {
        let (body, watch) = FragmentBody::new(stream, range.len());
        let mut request = self.request(Method::PUT, url, body)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_LENGTH, range.len().into());
        headers.insert(CONTENT_RANGE, content_range(range)?);
        tokio::select! {
            answer = self.send(request, clock) => answer.map_err(|cause| explain(&watch, cause)),
            () = watch.stalled(self.stall_timeout) => {
                Err(DriveError::Ambiguous("no byte of the fragment moved any more".into()))
            }
        }
    }

    /// The URL becomes the request target as it is, unless no request target may hold it.
    fn request(
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

    /// The URL as a request target, if it can be one and leads where bytes may go.
    pub(crate) fn target(&self, url: &UploadUrl) -> Result<Uri, DriveError> {
        let refused = |code: &str| DriveError::Refused { code: code.into() };
        let uri = parse(url).ok_or_else(|| refused("invalidUploadUrl"))?;
        if self.hosts.allow(&uri) { Ok(uri) } else { Err(refused("uploadHostNotAllowed")) }
    }

    async fn send(
        &self,
        request: Request<FragmentBody>,
        clock: &impl Clock,
    ) -> Result<Answer, Cause> {
        let response = self.http.request(request).await?;
        Answer::read(response, clock.now()).await
    }
}

/// Characters that a URL may not contain and that clients send encoded (WHATWG URL), so
/// that a server reads the same text.
const ENCODED: &AsciiSet = &AsciiSet::EMPTY
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The URL, if it is an absolute one: byte for byte where a request target may hold it, and
/// with the offending characters of its path and query encoded where not.
///
/// `None` also when a client would have to leave a part of it out: a fragment is never
/// sent, so a key with a `#` would arrive cut.
fn parse(url: &UploadUrl) -> Option<Uri> {
    let text = url.expose();
    if text.contains('#') || text.chars().any(char::is_control) {
        return None;
    }
    let uri: Uri = text.parse().ok().or_else(|| encoded(text)?.parse().ok())?;
    (uri.scheme().is_some() && uri.host().is_some()).then_some(uri)
}

fn encoded(text: &str) -> Option<String> {
    let authority = text.find("://")? + 3;
    let path = authority + text.get(authority..)?.find(['/', '?'])?;
    let (origin, rest) = text.split_at_checked(path)?;
    // Characters that are not ASCII are always encoded, as UTF-8.
    Some(format!("{origin}{}", utf8_percent_encode(rest, ENCODED)))
}

fn content_range(range: FragmentRange) -> Result<HeaderValue, DriveError> {
    let FragmentRange { start, end, total } = range;
    end.checked_sub(1)
        .filter(|last| start <= *last && end <= total)
        .and_then(|last| HeaderValue::try_from(format!("bytes {start}-{last}/{total}")).ok())
        .ok_or_else(|| DriveError::Refused { code: "invalidRange".into() })
}

/// A request that failed because its source failed says so; everything else is
/// an answer that was lost.
fn explain(watch: &BodyWatch, cause: Cause) -> DriveError {
    if watch.source_failed() { DriveError::Body } else { DriveError::Ambiguous(cause) }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;

    use super::*;

    #[test]
    fn every_character_reaches_the_server_as_it_was_written() {
        let all = ('\0'..='\u{17f}').chain("法廷\u{202e}\u{fffd}\u{1f3db}".chars());
        for c in all {
            for text in [format!("/a{c}b%20?k=v"), format!("/a?k=x{c}y%2B+")] {
                let url = UploadUrl::new(format!("https://a.example{text}"));
                if c == '#' || c.is_control() {
                    assert!(parse(&url).is_none(), "{c:?}");
                    continue;
                }
                let target = parse(&url).unwrap().path_and_query().unwrap().to_string();
                assert!(target.bytes().all(|b| b.is_ascii_graphic() || b >= 0x80), "{target}");
                let (sent, written) = (percent_decode_str(&target), percent_decode_str(&text));
                assert!(sent.eq(written), "{c:?}");
            }
        }
    }
}
