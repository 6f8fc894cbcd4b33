use docferry_app::ports::{CredentialsProvider, DocumentSource, Lookup, SourceAnswer, SourceError};
use docferry_app::trace::{self, TRACEPARENT};
use docferry_domain::ObjectGuid;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use reqwest::{RequestBuilder, redirect};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;

use crate::answer::{Answer, Facts, Pong, judge};
use crate::credentials::OrdsCredentials;
use crate::settings::{OrdsSettings, SetupError};

/// The contract's answers have some hundred bytes.
const LARGEST_ANSWER_BYTES: usize = 64 * 1024;

/// Documents by ORDS.
pub struct OrdsSource<P> {
    http: reqwest::Client,
    base: String,
    settings: OrdsSettings,
    provider: P,
}

impl<P: CredentialsProvider<OrdsCredentials>> OrdsSource<P> {
    /// A client; nothing is sent until it is used.
    ///
    /// # Errors
    /// [`SetupError`] when the base URL is none or the TLS stack does not start.
    pub fn new(settings: OrdsSettings, provider: P) -> Result<Self, SetupError> {
        let base = settings.base()?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("docferry/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            .timeout(settings.timeout)
            .build()
            .map_err(|error| SetupError::Client(error.without_url().into()))?;
        Ok(Self { http, base, settings, provider })
    }

    /// Makes the request; refused credentials are read again once, and the
    /// request repeated if they have changed.
    async fn ask<T: DeserializeOwned>(
        &self,
        request: impl Fn(&OrdsCredentials) -> RequestBuilder + Sync,
    ) -> Result<T, SourceError> {
        let credentials = self.credentials(Lookup::Cached).await?;
        match judge(&self.send(request(&credentials)).await?) {
            Err(SourceError::Unauthorized) => {
                let fresh = self.credentials(Lookup::Fresh).await?;
                if fresh.same(&credentials) {
                    return Err(SourceError::Unauthorized);
                }
                judge(&self.send(request(&fresh)).await?)
            }
            result => result,
        }
    }

    async fn credentials(&self, lookup: Lookup) -> Result<OrdsCredentials, SourceError> {
        let credentials = self.provider.credentials(lookup).await;
        credentials.map_err(SourceError::Unavailable)
    }

    fn get(&self, path: &str, credentials: &OrdsCredentials) -> RequestBuilder {
        let password = credentials.password.expose_secret();
        let request = self.http.get(format!("{}{path}", self.base));
        let request = request.basic_auth(&credentials.username, Some(password));
        match trace::current() {
            Some(trace) => request.header(TRACEPARENT, trace.as_str()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, SourceError> {
        let response = request.send().await;
        let response = response.map_err(|e| SourceError::Unavailable(e.without_url().into()))?;
        let media_type = response.headers().get(CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default();
        let media_type = media_type.trim().to_ascii_lowercase();
        let status = response.status();
        let body = http::Response::<reqwest::Body>::from(response).into_body();
        let body = match Limited::new(body, LARGEST_ANSWER_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            // The status alone decides, unless it promised facts.
            Err(error) if error.is::<LengthLimitError>() => bytes::Bytes::new(),
            Err(error) => return Err(SourceError::Unavailable(error)),
        };
        Ok(Answer { status, media_type, body })
    }
}

impl<P: CredentialsProvider<OrdsCredentials>> DocumentSource for OrdsSource<P> {
    async fn push(&self, guid: &ObjectGuid) -> Result<SourceAnswer, SourceError> {
        let settings = &self.settings;
        let lifetime = settings.ticket_lifetime_minutes.to_string();
        let facts: Facts = self
            .ask(|credentials| {
                self.get("/doc/push-to-server", credentials).query(&[
                    ("document_guid", guid.as_str()),
                    ("application_id", &credentials.application_id),
                    ("app_password", credentials.application_password.expose_secret()),
                    ("user_name", &credentials.account_name),
                    ("database_id", &settings.database_id),
                    ("ticket_lifetime", &lifetime),
                    ("putid", &settings.put_id),
                    ("server", &settings.server),
                ])
            })
            .await?;
        facts.try_into()
    }

    async fn ping(&self) -> Result<String, SourceError> {
        let pong: Pong = self.ask(|credentials| self.get("/ping", credentials)).await?;
        Ok(pong.status)
    }
}
