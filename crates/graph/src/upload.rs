use std::time::Duration;

use docferry_app::ports::{ByteStream, Cause, Clock, DriveError, UploadUrl};
use docferry_app::trace::{self, TRACEPARENT};
use docferry_domain::FragmentRange;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderValue, Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
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

    /// The URL becomes the request target as it is: [`Uri`] checks but never rewrites.
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

/// The URL, if it is an absolute one.
pub(crate) fn parse(url: &UploadUrl) -> Option<Uri> {
    let uri: Uri = url.expose().parse().ok()?;
    (uri.scheme().is_some() && uri.host().is_some()).then_some(uri)
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
