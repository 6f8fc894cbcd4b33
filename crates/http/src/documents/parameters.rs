//! Reader of search parameters from query strings, form bodies and headers.

use axum::extract::Request;
use docferry_fhir::query::Handling;
use docferry_fhir::{IssueCode, OperationOutcome};
use http::{HeaderMap, StatusCode, header};

use super::failure::Failure;
use crate::body_limit::BodyLimit;
use crate::error::ApiError;

/// Returns the query string of a request.
pub(super) fn query_string(request: &Request) -> String {
    request.uri().query().unwrap_or_default().to_owned()
}

/// Returns the parameters of a form body together with those of the query string. FHIR allows
/// parameters in both places of one request.
pub(super) async fn form(request: Request) -> Result<String, Failure> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    if !content_type.and_then(|value| value.to_str().ok()).is_some_and(is_form) {
        let problem = "the parameters must be sent as application/x-www-form-urlencoded";
        let outcome = OperationOutcome::new(IssueCode::NotSupported, problem);
        return Err(Failure::Outcome(StatusCode::UNSUPPORTED_MEDIA_TYPE, outcome));
    }
    let parameters = query_string(&request);
    let limit = BodyLimit::Default;
    let body = axum::body::to_bytes(request.into_body(), limit.bytes()).await;
    let body = body.map_err(|_| ApiError::TooLarge(limit))?;
    let body = str::from_utf8(&body)
        .map_err(|_| OperationOutcome::new(IssueCode::Structure, "the parameters are not UTF-8"))?;
    Ok(format!("{parameters}&{body}"))
}

fn is_form(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Returns how the request wants unknown parameters to be handled, from the header `Prefer`.
pub(super) fn handling(headers: &HeaderMap) -> Handling {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    Handling::from_prefer(&preferences.collect::<Vec<_>>().join(","))
}
