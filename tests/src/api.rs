//! Client of the public API that checks each response against `openapi.yaml`.

use std::sync::OnceLock;

use docferry_openapi::{Answer as Described, Description};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde::Deserialize;
use serde_json::Value;

use crate::{SHORT_TIMEOUT, Stack, eventually};

/// Client of the public API, as SCV uses it.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    /// Base URL, with the stage.
    base_url: String,
    credentials: Credentials,
}

#[derive(Debug, Clone)]
enum Credentials {
    None,
    Basic(String, String),
    Bearer(String),
}

/// An HTTP response, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// Body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON, or null when it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Media type without parameters.
    #[must_use]
    pub fn media_type(&self) -> &str {
        let value = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        value.and_then(|value| value.split(';').next()).unwrap_or_default()
    }
}

/// The status of a transfer, exactly as in the contract: a missing or additional field is an
/// error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the contract with SCV describes them")]
pub struct Status {
    pub transfer_id: String,
    pub percent_transfered: u8,
    #[serde(deserialize_with = "Option::deserialize")]
    pub start_delivery_dtm: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub end_delivery_dtm: Option<String>,
    pub error: bool,
    #[serde(deserialize_with = "Option::deserialize")]
    pub last_error_message: Option<String>,
    pub file_size: u64,
    #[serde(deserialize_with = "Option::deserialize")]
    pub file_name: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub file_path: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    pub mime: Option<String>,
}

impl Status {
    /// Whether the transfer has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.end_delivery_dtm.is_some()
    }
}

impl Api {
    /// Creates a client with the service account's credentials.
    #[must_use]
    pub fn new(stack: &Stack) -> Self {
        let login = &stack.scv;
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            base_url: stack.api.clone(),
            credentials: Credentials::Basic(login.username.clone(), login.password.clone()),
        }
    }

    /// Returns a client with other Basic credentials, or none.
    #[must_use]
    pub fn with_credentials(&self, credentials: Option<(&str, &str)>) -> Self {
        let credentials = credentials.map_or(Credentials::None, |(user, password)| {
            Credentials::Basic(user.to_owned(), password.to_owned())
        });
        Self { credentials, ..self.clone() }
    }

    /// Returns a client with a bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { credentials: Credentials::Bearer(token.to_owned()), ..self.clone() }
    }

    /// Returns a client whose requests are part of a trace.
    #[must_use]
    pub fn within_trace(&self, traceparent: &str) -> Self {
        self.with_header("traceparent", traceparent)
    }

    /// Returns a client that sends an `Idempotency-Key` with each request.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        self.with_header("idempotency-key", key)
    }

    fn with_header(&self, name: &str, value: &str) -> Self {
        let header = (name.parse().unwrap(), value.parse().unwrap());
        let client = reqwest::Client::builder().no_proxy();
        let http = client.default_headers([header].into_iter().collect()).build().unwrap();
        Self { http, ..self.clone() }
    }

    /// Sends a request. A body is sent unchanged, with the media type of JSON.
    ///
    /// # Panics
    /// If the response does not conform to `openapi.yaml`.
    pub async fn request(&self, method: Method, path: &str, body: Option<&str>) -> Answer {
        self.request_with_last_id(method, path, body, None).await
    }

    /// Requests the events of a job after the event `last_id`, or all. Repeats the request
    /// while the API limits its callers.
    pub async fn events(&self, job_id: &str, last_id: Option<&str>) -> Answer {
        let path = format!("/v1/download/subscribe/{job_id}");
        eventually("the request is not throttled", SHORT_TIMEOUT, async || {
            let answer = self.request_with_last_id(Method::GET, &path, None, last_id).await;
            (answer.status != StatusCode::TOO_MANY_REQUESTS).then_some(answer)
        })
        .await
    }

    async fn request_with_last_id(
        &self,
        method: Method,
        path: &str,
        body: Option<&str>,
        last_id: Option<&str>,
    ) -> Answer {
        let url = format!("{}{path}", self.base_url);
        let mut request = self.http.request(method.clone(), url);
        request = match &self.credentials {
            Credentials::None => request,
            Credentials::Basic(user, password) => request.basic_auth(user, Some(password)),
            Credentials::Bearer(token) => request.bearer_auth(token),
        };
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, text: response.text().await.unwrap() };
        assert_conforms(method.as_str(), path, &answer);
        answer
    }

    /// Sends a GET request, and repeats it while the API limits its callers, because many
    /// tests run at the same time.
    pub async fn get(&self, path: &str) -> Answer {
        self.request_unthrottled(Method::GET, path, None).await
    }

    /// Sends `POST /document/upload`.
    pub async fn post(&self, body: &Value) -> Answer {
        self.request(Method::POST, "/document/upload", Some(&body.to_string())).await
    }

    /// Returns the status of an existing transfer.
    pub async fn status(&self, transfer_id: &str) -> Status {
        let answer = self.get(&format!("/document/status/{transfer_id}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        serde_json::from_str(&answer.text).unwrap_or_else(|e| panic!("{e}: {}", answer.text))
    }
}

/// Fails unless the response conforms to `openapi.yaml`. So each test that calls the API
/// checks the description as well.
fn assert_conforms(method: &str, path: &str, answer: &Answer) {
    static DESCRIPTION: OnceLock<Description> = OnceLock::new();
    let description = DESCRIPTION.get_or_init(|| Description::of_project().unwrap());
    let (status, headers) = (answer.status, &answer.headers);
    let body = answer.text.as_bytes();
    let violations = description.violations(&Described { method, path, status, headers, body });
    assert!(violations.is_empty(), "does not conform to openapi.yaml:\n{}", violations.join("\n"));
}
