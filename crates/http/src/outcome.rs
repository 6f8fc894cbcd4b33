//! Format of error bodies: `OperationOutcome` on the FHIR routes, and problem documents (RFC 9457)
//! on all others.

use axum::body::Body;
use docferry_contract::problem::{MEDIA_TYPE, Problem};
use docferry_fhir::{IssueCode, OperationOutcome};
use http::HeaderValue;

use crate::problem;

/// Format of an error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// Problem document (RFC 9457).
    Problem,
    /// FHIR resource `OperationOutcome`.
    Outcome,
}

impl ErrorFormat {
    /// Returns the format of the errors of a path. It depends on the path and not on the router,
    /// because the rate limit returns errors without calling a router.
    pub(crate) fn of(path: &str) -> Self {
        let first_segment = path.split('/').nth(1);
        match first_segment {
            Some("DocumentReference" | "metadata") => Self::Outcome,
            _ => Self::Problem,
        }
    }

    /// Returns the media type of the body.
    pub(crate) const fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Problem => MEDIA_TYPE,
            Self::Outcome => docferry_fhir::MEDIA_TYPE,
        })
    }

    /// Serializes an error. A problem document contains the id of its request.
    pub(crate) fn render(self, problem: Problem, request_id: &str) -> Body {
        match self {
            Self::Problem => problem::render(problem, request_id),
            Self::Outcome => serde_json::to_vec(&outcome(problem)).unwrap_or_default().into(),
        }
    }
}

/// Converts a problem document into an `OperationOutcome`.
fn outcome(problem: Problem) -> OperationOutcome {
    let code = match problem.status {
        401 => IssueCode::Login,
        403 => IssueCode::Forbidden,
        // The text of the problem document is about jobs, so it does not fit here.
        404 => return OperationOutcome::not_found(),
        405 | 415 => IssueCode::NotSupported,
        413 => IssueCode::TooLong,
        429 => IssueCode::Throttled,
        409 | 502..=504 => IssueCode::Transient,
        400..=499 => IssueCode::Structure,
        _ => IssueCode::Exception,
    };
    OperationOutcome::new(code, problem.detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_decides_the_form_of_errors() {
        for path in
            ["/DocumentReference", "/DocumentReference/", "/DocumentReference/a/b", "/metadata"]
        {
            assert_eq!(ErrorFormat::of(path), ErrorFormat::Outcome, "{path}");
        }
        for path in ["", "/", "/v1/download/jobs", "/DocumentReferences", "/v1/DocumentReference"] {
            assert_eq!(ErrorFormat::of(path), ErrorFormat::Problem, "{path}");
        }
    }
}
