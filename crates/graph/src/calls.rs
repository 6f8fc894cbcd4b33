use docferry_app::ports::{Clock, DriveError};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use reqwest::redirect;
use rustls::ClientConfig;

use crate::answer::Answer;
use crate::settings::{GraphSettings, SetupError, base_url};
use crate::token::{Bearer, CredentialsProvider, Tokens};

/// The client for Graph proper: small calls with a bearer token.
pub(crate) struct Calls<P, C> {
    http: reqwest::Client,
    base: String,
    tokens: Tokens<P>,
    clock: C,
}

/// What goes with a request.
pub(crate) enum Payload {
    /// Nothing.
    None,
    /// A document of no bytes. It says so: a PUT without a length is answered 411.
    Empty,
    /// A JSON text.
    Json(Vec<u8>),
}

impl<P: CredentialsProvider, C: Clock> Calls<P, C> {
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
        let request = match payload {
            Payload::None => request,
            Payload::Empty => request.header(CONTENT_LENGTH, HeaderValue::from_static("0")),
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
