//! Translation of error responses of Microsoft Graph to [`DriveError`], the error type of the port
//! that the Graph client implements.
//!
//! The meaning of a status depends on the operation. The table in
//! [`docferry_domain::upload::refusal`] defines the meanings. This module reads the status and the
//! error codes from a response, looks their meaning up in the table, and creates the error.
//!
//! Two errors are easily confused: after [`DriveError::Ambiguous`], the call may or may not have
//! changed the drive, and after [`DriveError::NoEffect`], the drive is unchanged.

use docferry_app::ports::{Cause, DriveError};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::refusal::{self, Decision, Operation, RefusalMeaning};

use crate::error_code::error_codes;
use crate::response::GraphResponse;

/// Cause of an error for the log. It contains only the status and the error code, because the
/// message of the response may contain names and paths.
#[derive(Debug, thiserror::Error)]
#[error("status {status} ({code})")]
struct ErrorResponse {
    status: u16,
    code: String,
}

/// Translates an error response to the [`DriveError`] that the table defines for the operation.
pub(crate) fn classify(operation: Operation, response: &GraphResponse) -> DriveError {
    let codes = error_codes(&response.body);
    let status = response.status.as_u16();
    // The body may have no error code, for example if it is an error page of a proxy. The status
    // then serves as the code.
    let code = codes.last().cloned().unwrap_or_else(|| status.to_string());
    match refusal::classify(operation, status, &codes) {
        RefusalMeaning::Conflict => DriveError::Conflict,
        RefusalMeaning::Decided(decision) => decided_error(decision, code, response),
    }
}

/// Returns the table's decision for an error response. Returns `None` for a conflict, because its
/// decision also depends on the item at the destination.
pub(crate) fn decision(operation: Operation, response: &GraphResponse) -> Option<Decision> {
    match refusal::classify(operation, response.status.as_u16(), &error_codes(&response.body)) {
        RefusalMeaning::Decided(decision) => Some(decision),
        RefusalMeaning::Conflict => None,
    }
}

/// Returns the error for a decision of the table. `code` is the most specific code of the response.
fn decided_error(decision: Decision, code: String, response: &GraphResponse) -> DriveError {
    let status = response.status.as_u16();
    match decision {
        Decision::Wait => DriveError::Throttled { retry_after: response.retry_after },
        Decision::Reconcile => DriveError::Ambiguous(ErrorResponse { status, code }.into()),
        Decision::Resume => DriveError::OffsetMismatch,
        Decision::NewSession | Decision::AlreadyGone => DriveError::SessionGone,
        Decision::WaitForPath | Decision::NextNumber => DriveError::Conflict,
        // `Calls::call` has already renewed the token and repeated the request once.
        Decision::RenewToken => DriveError::Unauthorized { code },
        Decision::Repeat { last_failure } => {
            no_effect(last_failure, ErrorResponse { status, code })
        }
        // Callers that can look the drive up have done so before this translation. For all
        // other callers, the destination is unavailable.
        Decision::CheckDrive | Decision::Absent => {
            no_effect(FailureCode::DestinationUnavailable, ErrorResponse { status, code })
        }
        Decision::Fail(failure) => match failure {
            FailureCode::QuotaExceeded => DriveError::QuotaExceeded,
            FailureCode::DestinationLocked => DriveError::Locked,
            FailureCode::RecipientNotFound => DriveError::RecipientNotFound,
            FailureCode::DriveNotProvisioned => DriveError::DriveNotProvisioned,
            FailureCode::DestinationUnauthorized => DriveError::Unauthorized { code },
            _ => DriveError::Refused { code },
        },
    }
}

/// Returns the error for a call that changed nothing in the drive and may succeed when it is
/// repeated. If all repetitions fail as well, the transfer fails with `final_failure`.
pub(crate) fn no_effect(final_failure: FailureCode, cause: impl Into<Cause>) -> DriveError {
    DriveError::NoEffect { final_code: final_failure, cause: cause.into() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;
    use serde_json::{Value, json};

    use super::*;

    fn response(status: u16, body: &Value) -> GraphResponse {
        GraphResponse {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: Some(Duration::from_secs(7)),
            headers: http::HeaderMap::new(),
            body: serde_json::to_vec(body).unwrap().into(),
        }
    }

    /// Returns the variant of an error and its fields as text, for comparison.
    fn describe(error: &DriveError) -> String {
        match error {
            DriveError::Throttled { retry_after } => format!("Throttled {retry_after:?}"),
            DriveError::Ambiguous(cause) => format!("Ambiguous {cause}"),
            DriveError::NoEffect { final_code, cause } => format!("NoEffect {final_code} {cause}"),
            DriveError::OffsetMismatch => "OffsetMismatch".into(),
            DriveError::SessionGone => "SessionGone".into(),
            DriveError::Conflict => "Conflict".into(),
            DriveError::Locked => "Locked".into(),
            DriveError::QuotaExceeded => "QuotaExceeded".into(),
            DriveError::Refused { code } => format!("Refused {code}"),
            DriveError::RecipientNotFound => "RecipientNotFound".into(),
            DriveError::DriveNotProvisioned => "DriveNotProvisioned".into(),
            DriveError::Unauthorized { code } => format!("Unauthorized {code}"),
            DriveError::Body => "Body".into(),
        }
    }

    /// Error response to an operation, and the expected translation.
    struct Case {
        operation: Operation,
        status: u16,
        /// Error codes in the body: none, the outer one, or the outer and the inner one.
        codes: &'static [&'static str],
        /// Description of the expected error, see [`describe`].
        expected: &'static str,
    }

    const fn case(
        operation: Operation,
        status: u16,
        codes: &'static [&'static str],
        expected: &'static str,
    ) -> Case {
        Case { operation, status, codes, expected }
    }

    /// Contains every row of the error table in the contract of Graph.
    #[test]
    fn every_error_status_of_the_contract_is_classified() {
        use Operation::{
            CreateSession, DriveLookup, Fragment, ItemLookup, LastFragment, SessionDelete,
            SessionStatus, SmallPut, Token, UserLookup,
        };
        for Case { operation, status, codes, expected } in [
            case(
                Fragment,
                400,
                &["invalidRequest", "fragmentLengthMismatch"],
                "Refused fragmentLengthMismatch",
            ),
            case(CreateSession, 400, &["invalidRequest", "invalidPath"], "Refused invalidPath"),
            case(SmallPut, 400, &["invalidRequest", "pathIsTooLong"], "Refused pathIsTooLong"),
            case(
                CreateSession,
                400,
                &["invalidRequest", "maxFileSizeExceeded"],
                "Refused maxFileSizeExceeded",
            ),
            case(
                CreateSession,
                401,
                &["InvalidAuthenticationToken"],
                "Unauthorized InvalidAuthenticationToken",
            ),
            case(SmallPut, 403, &["accessDenied"], "Unauthorized accessDenied"),
            case(
                ItemLookup,
                403,
                &["accessDenied"],
                "NoEffect DESTINATION_UNAUTHORIZED status 403 (accessDenied)",
            ),
            case(UserLookup, 404, &["Request_ResourceNotFound"], "RecipientNotFound"),
            case(UserLookup, 400, &["Request_BadRequest"], "RecipientNotFound"),
            case(DriveLookup, 404, &["ResourceNotFound"], "DriveNotProvisioned"),
            case(DriveLookup, 404, &["itemNotFound"], "DriveNotProvisioned"),
            case(DriveLookup, 404, &["Request_ResourceNotFound"], "RecipientNotFound"),
            case(CreateSession, 404, &["Request_ResourceNotFound"], "RecipientNotFound"),
            case(
                CreateSession,
                404,
                &["itemNotFound"],
                "NoEffect DESTINATION_UNAVAILABLE status 404 (itemNotFound)",
            ),
            case(Fragment, 401, &["unauthenticated", "expiredToken"], "SessionGone"),
            case(LastFragment, 403, &["accessDenied"], "SessionGone"),
            case(SessionStatus, 403, &["accessDenied"], "SessionGone"),
            case(SessionDelete, 403, &["accessDenied"], "SessionGone"),
            case(Fragment, 404, &["itemNotFound", "uploadSessionNotFound"], "SessionGone"),
            case(Fragment, 400, &["itemNotFound", "uploadSessionNotFound"], "SessionGone"),
            case(LastFragment, 400, &["uploadSessionNotFound"], "SessionGone"),
            case(Fragment, 410, &[], "SessionGone"),
            case(CreateSession, 409, &["nameAlreadyExists"], "Conflict"),
            case(LastFragment, 409, &["nameAlreadyExists"], "Conflict"),
            case(Fragment, 409, &["resourceModified"], "Conflict"),
            case(Fragment, 412, &["notAllowed"], "Conflict"),
            case(SmallPut, 412, &["preconditionFailed"], "Conflict"),
            case(Fragment, 411, &[], "Refused 411"),
            case(Fragment, 416, &["invalidRange", "fragmentOverlap"], "OffsetMismatch"),
            case(LastFragment, 416, &["invalidRange", "fragmentOutOfOrder"], "OffsetMismatch"),
            case(Fragment, 423, &["resourceLocked"], "Locked"),
            case(CreateSession, 423, &["notAllowed", "resourceLocked"], "Locked"),
            case(ItemLookup, 429, &["activityLimitReached"], "Throttled Some(7s)"),
            case(Fragment, 503, &["serviceNotAvailable"], "Throttled Some(7s)"),
            case(SessionStatus, 509, &[], "Throttled Some(7s)"),
            case(Fragment, 500, &["generalException"], "Ambiguous status 500 (generalException)"),
            case(CreateSession, 502, &[], "Ambiguous status 502 (502)"),
            case(ItemLookup, 502, &[], "NoEffect DESTINATION_UNAVAILABLE status 502 (502)"),
            case(LastFragment, 504, &[], "Ambiguous status 504 (504)"),
            case(SmallPut, 408, &[], "Ambiguous status 408 (408)"),
            case(Fragment, 507, &["quotaLimitReached"], "QuotaExceeded"),
            case(SmallPut, 507, &["quotaLimitReached"], "QuotaExceeded"),
            case(Token, 507, &[], "NoEffect DESTINATION_UNAVAILABLE status 507 (507)"),
            case(CreateSession, 302, &[], "Refused 302"),
            case(Token, 429, &[], "Throttled Some(7s)"),
            case(Token, 500, &[], "NoEffect DESTINATION_UNAVAILABLE status 500 (500)"),
            case(Token, 404, &[], "Unauthorized 404"),
        ] {
            let mut body = json!({"error": {"message": "/secret/name.pdf"}});
            if let Some(outer) = codes.first() {
                body["error"]["code"] = json!(outer);
            }
            if let Some(inner) = codes.get(1) {
                body["error"]["innererror"] = json!({"date": "x", "innerError": {"code": inner}});
            }

            let error = classify(operation, &response(status, &body));

            assert_eq!(describe(&error), expected, "{operation:?} {status} {codes:?}");
        }
    }

    #[test]
    fn token_error_contains_the_error_string_and_the_first_number() {
        let expired_secret = json!({"error": "invalid_client", "error_codes": [7_000_222, 1],
            "error_description": "AADSTS7000222: The provided client secret keys are expired."});
        for status in [400, 401] {
            let error = classify(Operation::Token, &response(status, &expired_secret));
            assert_eq!(describe(&error), "Unauthorized invalid_client/7000222");
        }

        let without_number = json!({"error": "unauthorized_client"});
        let error = classify(Operation::Token, &response(400, &without_number));
        assert_eq!(describe(&error), "Unauthorized unauthorized_client");
    }
}
