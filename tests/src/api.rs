//! Client of docferry's public HTTP API. It fails the test if a response does not conform to
//! `openapi.yaml`.

use std::sync::OnceLock;

use docferry_openapi::{ApiResponse as ResponseToCheck, Description};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde::Deserialize;
use serde_json::Value;

use crate::{SHORT_TIMEOUT, Stack, eventually};

/// Client of the public API. Without other credentials it calls as SCV, the court viewer.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    /// Base URL, including the stage of API Gateway.
    base_url: String,
    credentials: Credentials,
}

#[derive(Debug, Clone)]
enum Credentials {
    None,
    Basic(String, String),
    Bearer(String),
}

/// An HTTP response with any status.
#[derive(Debug)]
pub struct ApiResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// Body as text.
    pub text: String,
}

impl ApiResponse {
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

/// The status of a transfer in the format of the contract with SCV. A missing or additional
/// field is an error. `deserialize_with` makes this true for fields that may be null.
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
    /// Creates a client that uses the Basic credentials of SCV's service account.
    #[must_use]
    pub fn new(stack: &Stack) -> Self {
        let login = &stack.scv;
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            base_url: stack.api.clone(),
            credentials: Credentials::Basic(login.username.clone(), login.password.clone()),
        }
    }

    /// Returns a client that does not follow redirects.
    #[must_use]
    pub fn without_redirects(&self) -> Self {
        let builder = reqwest::Client::builder().no_proxy();
        let http = builder.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, ..self.clone() }
    }

    /// Returns a client that uses these Basic credentials (user name and password), or that sends
    /// no credentials.
    #[must_use]
    pub fn with_credentials(&self, credentials: Option<(&str, &str)>) -> Self {
        let credentials = credentials.map_or(Credentials::None, |(user, password)| {
            Credentials::Basic(user.to_owned(), password.to_owned())
        });
        Self { credentials, ..self.clone() }
    }

    /// Returns a client that uses a bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { credentials: Credentials::Bearer(token.to_owned()), ..self.clone() }
    }

    /// Returns a client that sends this `traceparent` header with each request.
    #[must_use]
    pub fn within_trace(&self, traceparent: &str) -> Self {
        self.with_header("traceparent", traceparent)
    }

    /// Returns a client that sends an `Idempotency-Key` with each request.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        self.with_header("idempotency-key", key)
    }

    /// Returns a client that sends this header with each request.
    ///
    /// # Panics
    /// If the name or the value is not valid in a header.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let header = (name.parse().unwrap(), value.parse().unwrap());
        let builder = reqwest::Client::builder().no_proxy();
        let http = builder.default_headers([header].into_iter().collect()).build().unwrap();
        Self { http, ..self.clone() }
    }

    /// Sends a request. A body is sent unchanged, with the media type `application/json`.
    ///
    /// # Panics
    /// If the response does not conform to `openapi.yaml`.
    pub async fn request(&self, method: Method, path: &str, body: Option<&str>) -> ApiResponse {
        let header = body.map(|_| ("content-type", "application/json"));
        self.send(method, path, body, header).await
    }

    /// Sends a POST request with a form, and repeats it while the API throttles it.
    pub async fn post_form(&self, path: &str, form: &str) -> ApiResponse {
        let header = ("content-type", "application/x-www-form-urlencoded");
        eventually("the request is not throttled", SHORT_TIMEOUT, async || {
            let response = self.send(Method::POST, path, Some(form), Some(header)).await;
            (response.status != StatusCode::TOO_MANY_REQUESTS).then_some(response)
        })
        .await
    }

    /// Requests the events of a job that follow the event `last_event_id`, or all events without
    /// such an id. Repeats the request while the API throttles it.
    pub async fn events(&self, job_id: &str, last_event_id: Option<&str>) -> ApiResponse {
        let path = format!("/v1/download/subscribe/{job_id}");
        eventually("the request is not throttled", SHORT_TIMEOUT, async || {
            let header = last_event_id.map(|id| ("last-event-id", id));
            let response = self.send(Method::GET, &path, None, header).await;
            (response.status != StatusCode::TOO_MANY_REQUESTS).then_some(response)
        })
        .await
    }

    /// Sends a request, with one more header if `header` is given.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&str>,
        header: Option<(&str, &str)>,
    ) -> ApiResponse {
        let url = format!("{}{path}", self.base_url);
        let mut request = self.http.request(method.clone(), url);
        request = match &self.credentials {
            Credentials::None => request,
            Credentials::Basic(user, password) => request.basic_auth(user, Some(password)),
            Credentials::Bearer(token) => request.bearer_auth(token),
        };
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let api_response = ApiResponse { status, headers, text };
        assert_conforms(method.as_str(), path, &api_response);
        api_response
    }

    /// Sends a GET request, and repeats it while the API throttles it. The API throttles requests
    /// because many tests run at the same time.
    pub async fn get(&self, path: &str) -> ApiResponse {
        self.request_unthrottled(Method::GET, path, None).await
    }

    /// Sends `POST /document/upload`.
    pub async fn post(&self, body: &Value) -> ApiResponse {
        self.request(Method::POST, "/document/upload", Some(&body.to_string())).await
    }

    /// Returns the status of an existing transfer.
    pub async fn status(&self, transfer_id: &str) -> Status {
        let response = self.get(&format!("/document/status/{transfer_id}")).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.text);
        serde_json::from_str(&response.text)
            .unwrap_or_else(|error| panic!("{error}: {}", response.text))
    }
}

/// Fails unless the response conforms to `openapi.yaml`. So each test that calls the API also
/// checks that `openapi.yaml` describes the API correctly.
fn assert_conforms(method: &str, path: &str, response: &ApiResponse) {
    static DESCRIPTION: OnceLock<Description> = OnceLock::new();
    let description = DESCRIPTION.get_or_init(|| Description::of_project().unwrap());
    let (status, headers) = (response.status, &response.headers);
    let body = response.text.as_bytes();
    let response = ResponseToCheck { method, path, status, headers, body };
    let violations = description.violations(&response);
    assert!(violations.is_empty(), "does not conform to openapi.yaml:\n{}", violations.join("\n"));
}
