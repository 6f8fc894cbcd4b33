use std::time::Duration;

use bytes::Bytes;
use docferry_app::ports::{Clock, CredentialsProvider, DriveError};
use docferry_app::trace::{self, TRACEPARENT};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use http::{HeaderValue, Method, StatusCode};
use reqwest::redirect;
use rustls::ClientConfig;

use crate::answer::Answer;
use crate::settings::{GraphSettings, SetupError, base_url};
use crate::token::{Bearer, ClientCredentials, Tokens};

/// A line on which a document still gets through: 4,000,000 bytes take 80 s more
/// than a call without a body may.
const SLOWEST_BYTES_PER_SECOND: u64 = 50_000;

/// The client for Graph proper: small calls with a bearer token.
pub(crate) struct Calls<P, C> {
    http: reqwest::Client,
    base: String,
    tokens: Tokens<P>,
    clock: C,
    call_timeout: Duration,
}

/// What goes with a request.
pub(crate) enum Payload {
    /// Nothing.
    None,
    /// Nothing; a part of the content is wanted.
    Part(HeaderValue),
    /// A small document, perhaps of no bytes. It says how many: a PUT without a
    /// length is answered 411.
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

    /// Makes a call; a 401 renews the token once and repeats it.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        payload: Payload,
    ) -> Result<Answer, DriveError> {
        let bearer = self.tokens.bearer(&self.clock, None).await?;
        let answer = self.once(&method, path, &payload, &bearer).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let renewed = self.tokens.bearer(&self.clock, Some(&bearer)).await?;
        self.once(&method, path, &payload, &renewed).await
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        payload: &Payload,
        bearer: &Bearer,
    ) -> Result<Answer, DriveError> {
        let url = format!("{}{path}", self.base);
        let request = self.http.request(method.clone(), url).header(AUTHORIZATION, bearer.header());
        let request = match trace::current() {
            Some(trace) => request.header(TRACEPARENT, trace.as_str()),
            None => request,
        };
        let request = match payload {
            Payload::None => request,
            Payload::Part(range) => request.header(RANGE, range.clone()),
            Payload::Document(bytes) => request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
                .header(CONTENT_LENGTH, HeaderValue::from(bytes.len()))
                .timeout(self.call_timeout + sending(bytes))
                .body(bytes.clone()),
            Payload::Json(text) => request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(text.clone()),
        };
        // A path holds names and an address: it stays out of the error.
        let response = request.send().await;
        let response =
            response.map_err(|error| DriveError::Ambiguous(error.without_url().into()))?;
        let answer = Answer::read(response.into(), self.clock.now()).await;
        answer.map_err(DriveError::Ambiguous)
    }
}

/// How long a document may take on its way.
fn sending(bytes: &Bytes) -> Duration {
    Duration::from_secs(bytes.len() as u64 / SLOWEST_BYTES_PER_SECOND)
}
