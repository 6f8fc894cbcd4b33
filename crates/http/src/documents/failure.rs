//! Errors of the FHIR routes, and the form of their responses.

use axum::response::{IntoResponse, Response};
use docferry_app::ports::StoreError;
use docferry_fhir::{InvalidPageToken, MEDIA_TYPE, OperationOutcome};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::ApiError;

/// Error of a FHIR route.
#[derive(Debug)]
pub(super) enum Failure {
    /// An error that other routes have as well. The middleware renders it as an `OperationOutcome`.
    Api(ApiError),
    /// An error that only the FHIR routes have.
    Outcome(StatusCode, OperationOutcome),
}

impl Failure {
    /// Returns the error for a document that does not exist or that the caller may not see.
    pub(super) fn not_found() -> Self {
        Self::Api(ApiError::NotFound)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Api(error.into())
    }
}

/// Converts an outcome without a status. It describes invalid parameters, so the status is 400.
impl From<OperationOutcome> for Failure {
    fn from(outcome: OperationOutcome) -> Self {
        Self::Outcome(StatusCode::BAD_REQUEST, outcome)
    }
}

impl From<InvalidPageToken> for Failure {
    fn from(error: InvalidPageToken) -> Self {
        OperationOutcome::from(error).into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Api(error) => error.into_response(),
            Self::Outcome(status, outcome) => (status, resource(&outcome)).into_response(),
        }
    }
}

/// Returns a response with a FHIR resource.
pub(super) fn resource(resource: &impl Serialize) -> Response {
    let body = serde_json::to_vec(resource).unwrap_or_default();
    ([(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))], body).into_response()
}
