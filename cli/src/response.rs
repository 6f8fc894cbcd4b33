//! HTTP responses of docferry's API, and their conversion to documents and errors.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::ClientError;
use crate::http::{parse_retry_after, read_body};
use crate::wire::Problem;

/// Text of API Gateway's response (status 403) for an unknown path.
const UNKNOWN_PATH_DETAIL: &str = "Missing Authentication Token";

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct BufferedResponse {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the content type is a kind of JSON.
    is_json: bool,
    body: Vec<u8>,
}

impl BufferedResponse {
    /// Reads the whole body of a response.
    pub(crate) async fn read(response: Response) -> Result<Self, ClientError> {
        let headers = response.headers();
        let retry_after = parse_retry_after(headers);
        let is_json = has_json_content_type(headers);
        let status = response.status();
        let body = read_body(response).await?;
        Ok(Self { status, retry_after, is_json, body })
    }

    /// Parses the document of a successful response. Converts any other response to an error.
    pub(crate) fn into_document<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        if self.status.is_success() {
            return self.document();
        }
        let problem: Option<Problem> =
            self.is_json.then(|| serde_json::from_slice(&self.body).ok()).flatten();
        if self.is_foreign(problem.as_ref()) {
            let reason = "the body is not a problem document of docferry".into();
            return Err(ClientError::InvalidResponse { status: self.status.as_u16(), reason });
        }
        Err(response_error(self.status, self.retry_after, problem.unwrap_or_default()))
    }

    /// Returns whether a refusal (4xx) comes from another server than docferry.
    ///
    /// An empty body says nothing about its origin, so it counts as docferry's. The statuses 408
    /// and 429 are retried, even if another server sent them, so their origin does not matter.
    fn is_foreign(&self, problem: Option<&Problem>) -> bool {
        let is_refusal =
            self.status.is_client_error() && !matches!(self.status.as_u16(), 408 | 429);
        if !is_refusal || self.body.is_empty() {
            return false;
        }
        match problem {
            None => true,
            // An error of API Gateway itself has no code. API Gateway belongs to docferry, but it
            // never sends a 404. It sends this text if the path, and so the address, is wrong.
            Some(Problem { code: None, detail, .. }) => {
                self.status == StatusCode::NOT_FOUND
                    || detail.as_deref() == Some(UNKNOWN_PATH_DETAIL)
            }
            Some(_) => false,
        }
    }

    /// Parses the body as a document. The status is not checked.
    pub(crate) fn document<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = error.to_string();
            // A message about a wrong value quotes the value, which may be a presigned URL.
            // Messages about missing fields and about syntax do not.
            let quotes_no_value = message.starts_with("missing field") || !error.is_data();
            let reason =
                if quotes_no_value { message } else { "a field has the wrong type".into() };
            ClientError::InvalidResponse { status: self.status.as_u16(), reason }
        })
    }
}

/// Converts an error response of docferry to an error of the client.
fn response_error(
    status: StatusCode,
    retry_after: Option<Duration>,
    problem: Problem,
) -> ClientError {
    let problem = Box::new(problem);
    let code = status.as_u16();
    match code {
        401 | 403 => ClientError::Unauthorized { status: code, problem },
        404 => ClientError::NotFound(problem),
        408 | 429 | 500..=599 => ClientError::Unavailable { status: code, retry_after, problem },
        400..=499 => ClientError::Rejected { status: code, retry_after, problem },
        _ => ClientError::InvalidResponse {
            status: code,
            reason: "neither success nor an error; redirects are not followed".into(),
        },
    }
}

/// Returns whether the content type is a kind of JSON.
fn has_json_content_type(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media_type| media_type.trim().ends_with("json"))
}
