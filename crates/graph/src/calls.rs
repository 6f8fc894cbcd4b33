//! HTTP client for calls of Microsoft Graph itself. Each call has a bearer token. The calls look
//! users, drives and items up, create upload sessions, and upload small documents.

use std::time::Duration;

use bytes::Bytes;
use docferry_app::ports::{Clock, CredentialsProvider, DriveError};
use docferry_app::trace::{self, TRACEPARENT};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method, StatusCode};
use reqwest::redirect;
use rustls::ClientConfig;

use crate::response::GraphResponse;
use crate::settings::{GraphSettings, SetupError, base_url};
use crate::token::{Bearer, ClientCredentials, Tokens};

/// Lowest throughput at which the upload of a small document must still succeed. The time limit of
/// an upload depends on it: the largest small document has 4,000,000 bytes, and its upload gets
/// 80 seconds more than other calls.
const SLOWEST_BYTES_PER_SECOND: u64 = 50_000;

/// HTTP client for calls of Graph that need a bearer token. `P` provides the credentials for the
/// token, and `C` is the clock.
pub(crate) struct Calls<P, C> {
    http: reqwest::Client,
    /// Base URL of Graph, without a trailing slash.
    base: String,
    /// Cache of the bearer token.
    tokens: Tokens<P>,
    clock: C,
    /// Time limit of a call. For a document, [`sending_time`] is added.
    call_timeout: Duration,
}

/// Body of a request, or the `Range` header of a request without a body.
pub(crate) enum Payload {
    /// No body.
    None,
    /// No body, but a `Range` header with this value.
    Range(HeaderValue),
    /// A small document. Its request has a `Content-Length` header even if the document is empty,
    /// because Graph responds with 411 to a PUT without this header.
    Document(Bytes),
    /// A JSON text.
    Json(Vec<u8>),
}

impl<P: CredentialsProvider<ClientCredentials>, C: Clock> Calls<P, C> {
    pub(crate) fn new(
        settings: &GraphSettings,
        tls: ClientConfig,
        provider: P,
        clock: C,
    ) -> Result<Self, SetupError> {
        let base = base_url("graph_url", &settings.graph_url)?;
        let authority = base_url("authority_url", &settings.authority_url)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("docferry/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.call_timeout)
            .build()
            .map_err(|error| SetupError::Client(error.without_url().into()))?;
        Ok(Self {
            tokens: Tokens::new(http.clone(), settings, &authority, &base, provider),
            http,
            base,
            clock,
            call_timeout: settings.call_timeout,
        })
    }

    pub(crate) const fn clock(&self) -> &C {
        &self.clock
    }

    /// Sends a request. After a 401, renews the token and repeats the request once.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        payload: Payload,
    ) -> Result<GraphResponse, DriveError> {
        let bearer = self.tokens.bearer(&self.clock, None).await?;
        let response = self.send_once(&method, path, &payload, &bearer).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let renewed = self.tokens.bearer(&self.clock, Some(&bearer)).await?;
        self.send_once(&method, path, &payload, &renewed).await
    }

    /// Sends a request with this token and reads the response.
    async fn send_once(
        &self,
        method: &Method,
        path: &str,
        payload: &Payload,
        bearer: &Bearer,
    ) -> Result<GraphResponse, DriveError> {
        let url = format!("{}{path}", self.base);
        let request = self.http.request(method.clone(), url).header(AUTHORIZATION, bearer.header());
        let request = match trace::current() {
            Some(trace) => request.header(TRACEPARENT, trace.as_str()),
            None => request,
        };
        let request = match payload {
            Payload::None => request,
            Payload::Range(range) => request.header(RANGE, range.clone()),
            Payload::Document(bytes) => request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
                .header(CONTENT_LENGTH, HeaderValue::from(bytes.len()))
                .timeout(self.call_timeout + sending_time(bytes))
                .body(bytes.clone()),
            Payload::Json(text) => request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(text.clone()),
        };
        // The URL contains names and an email address, so it is removed from the error.
        let sent = request.send().await;
        let received = sent.map_err(|error| DriveError::Ambiguous(error.without_url().into()))?;
        let response = GraphResponse::read(received.into(), self.clock.now()).await;
        response.map_err(DriveError::Ambiguous)
    }
}

/// Returns the additional time limit for sending a document.
fn sending_time(bytes: &Bytes) -> Duration {
    Duration::from_secs(bytes.len() as u64 / SLOWEST_BYTES_PER_SECOND)
}
