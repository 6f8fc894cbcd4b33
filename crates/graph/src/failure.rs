//! Translation of error responses of Graph to [`DriveError`].

use docferry_app::ports::{Cause, DriveError};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::refusal::{Decision, Operation, Refusal, judge};
use serde_json::Value;

use crate::answer::GraphResponse;

/// Cause of an error for the log. It contains only the status and the error code, because the
/// message of the response may contain names and paths.
#[derive(Debug, thiserror::Error)]
#[error("status {status} ({code})")]
struct Refused {
    status: u16,
    code: String,
}

/// Translates an unsuccessful response, by the table of [`docferry_domain::upload::refusal`]. All
/// statuses become [`DriveError`]s here.
pub(crate) fn classify(operation: Operation, answer: &GraphResponse) -> DriveError {
    let codes = codes(&answer.body);
    let status = answer.status.as_u16();
    // If the body is not Graph's error envelope, such as a page of a proxy, the status serves as
    // the code.
    let code = codes.last().cloned().unwrap_or_else(|| status.to_string());
    match judge(operation, status, &codes) {
        Refusal::Conflict => DriveError::Conflict,
        Refusal::Decided(decision) => error(decision, status, code, answer),
    }
}

/// Returns the decision for an unsuccessful response, or `None` for a conflict, whose decision
/// depends on more than the response.
pub(crate) fn decision(operation: Operation, answer: &GraphResponse) -> Option<Decision> {
    match judge(operation, answer.status.as_u16(), &codes(&answer.body)) {
        Refusal::Decided(decision) => Some(decision),
        Refusal::Conflict => None,
    }
}

/// Returns the error for a decision of the table.
fn error(decision: Decision, status: u16, code: String, answer: &GraphResponse) -> DriveError {
    match decision {
        Decision::Wait => DriveError::Throttled { retry_after: answer.retry_after },
        Decision::Reconcile => DriveError::Ambiguous(Refused { status, code }.into()),
        Decision::Resume => DriveError::OffsetMismatch,
        Decision::NewSession | Decision::AlreadyGone => DriveError::SessionGone,
        Decision::WaitForPath | Decision::NextNumber => DriveError::Conflict,
        // The token has already been renewed once, see `Calls::call`.
        Decision::RenewToken => DriveError::Unauthorized { code },
        Decision::Repeat { then } => no_effect(then, Refused { status, code }),
        // The caller has already checked that the drive exists, or this operation has no such
        // check.
        Decision::CheckDrive | Decision::Absent => {
            no_effect(FailureCode::DestinationUnavailable, Refused { status, code })
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

/// Returns the error for a call that changed nothing and may succeed when repeated. `then` is
/// the failure to report if it never does.
pub(crate) fn no_effect(then: FailureCode, cause: impl Into<Cause>) -> DriveError {
    DriveError::NoEffect { then, cause: cause.into() }
}

/// Extracts the service's error codes, from the most general to the most specific.
///
/// Graph nests codes in `innerError` or `innererror`. The token endpoint returns a flat string
/// and a list of numbers; the first number is appended, because it distinguishes an expired
/// secret (`invalid_client/7000222`) from a wrong one.
fn codes(body: &[u8]) -> Vec<String> {
    let Ok(envelope) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    if let Some(code) = envelope.get("error").and_then(Value::as_str).map(clean) {
        let number = envelope.pointer("/error_codes/0").and_then(Value::as_u64);
        return vec![number.map_or(code.clone(), |number| format!("{code}/{number}"))];
    }
    let mut codes = Vec::new();
    let mut level = envelope.get("error");
    while let Some(error) = level {
        let code = error.get("code").and_then(Value::as_str).map(clean);
        codes.extend(code.filter(|code| !code.is_empty()));
        level = error.get("innerError").or_else(|| error.get("innererror"));
    }
    codes
}

/// Removes all characters that do not belong into an error code, because codes are logged.
fn clean(code: &str) -> String {
    let is_code = |c: &char| c.is_ascii_alphanumeric() || "_.-".contains(*c);
    code.chars().filter(is_code).take(64).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &Value) -> GraphResponse {
        GraphResponse {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: Some(Duration::from_secs(7)),
            headers: http::HeaderMap::new(),
            body: serde_json::to_vec(body).unwrap().into(),
        }
    }

    fn kind(error: &DriveError) -> String {
        match error {
            DriveError::Throttled { retry_after } => format!("Throttled {retry_after:?}"),
            DriveError::Ambiguous(cause) => format!("Ambiguous {cause}"),
            DriveError::NoEffect { then, cause } => format!("NoEffect {then} {cause}"),
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

    /// Contains every row of the error table in the contract of Graph.
    #[test]
    fn every_error_status_of_the_contract_is_classified() {
        use Operation::{
            CreateSession, DriveLookup, Fragment, ItemLookup, LastFragment, SessionDelete,
            SessionStatus, SmallPut, Token, UserLookup,
        };
        for (operation, status, outer, inner, meaning) in [
            (
                Fragment,
                400,
                "invalidRequest",
                "fragmentLengthMismatch",
                "Refused fragmentLengthMismatch",
            ),
            (CreateSession, 400, "invalidRequest", "invalidPath", "Refused invalidPath"),
            (SmallPut, 400, "invalidRequest", "pathIsTooLong", "Refused pathIsTooLong"),
            (
                CreateSession,
                400,
                "invalidRequest",
                "maxFileSizeExceeded",
                "Refused maxFileSizeExceeded",
            ),
            (
                CreateSession,
                401,
                "InvalidAuthenticationToken",
                "",
                "Unauthorized InvalidAuthenticationToken",
            ),
            (SmallPut, 403, "accessDenied", "", "Unauthorized accessDenied"),
            (
                ItemLookup,
                403,
                "accessDenied",
                "",
                "NoEffect DESTINATION_UNAUTHORIZED status 403 (accessDenied)",
            ),
            (UserLookup, 404, "Request_ResourceNotFound", "", "RecipientNotFound"),
            (UserLookup, 400, "Request_BadRequest", "", "RecipientNotFound"),
            (DriveLookup, 404, "ResourceNotFound", "", "DriveNotProvisioned"),
            (DriveLookup, 404, "itemNotFound", "", "DriveNotProvisioned"),
            (DriveLookup, 404, "Request_ResourceNotFound", "", "RecipientNotFound"),
            (CreateSession, 404, "Request_ResourceNotFound", "", "RecipientNotFound"),
            (
                CreateSession,
                404,
                "itemNotFound",
                "",
                "NoEffect DESTINATION_UNAVAILABLE status 404 (itemNotFound)",
            ),
            (Fragment, 401, "unauthenticated", "expiredToken", "SessionGone"),
            (LastFragment, 403, "accessDenied", "", "SessionGone"),
            (SessionStatus, 403, "accessDenied", "", "SessionGone"),
            (SessionDelete, 403, "accessDenied", "", "SessionGone"),
            (Fragment, 404, "itemNotFound", "uploadSessionNotFound", "SessionGone"),
            (Fragment, 400, "itemNotFound", "uploadSessionNotFound", "SessionGone"),
            (LastFragment, 400, "uploadSessionNotFound", "", "SessionGone"),
            (Fragment, 410, "", "", "SessionGone"),
            (CreateSession, 409, "nameAlreadyExists", "", "Conflict"),
            (LastFragment, 409, "nameAlreadyExists", "", "Conflict"),
            (Fragment, 409, "resourceModified", "", "Conflict"),
            (Fragment, 412, "notAllowed", "", "Conflict"),
            (SmallPut, 412, "preconditionFailed", "", "Conflict"),
            (Fragment, 411, "", "", "Refused 411"),
            (Fragment, 416, "invalidRange", "fragmentOverlap", "OffsetMismatch"),
            (LastFragment, 416, "invalidRange", "fragmentOutOfOrder", "OffsetMismatch"),
            (Fragment, 423, "resourceLocked", "", "Locked"),
            (CreateSession, 423, "notAllowed", "resourceLocked", "Locked"),
            (ItemLookup, 429, "activityLimitReached", "", "Throttled Some(7s)"),
            (Fragment, 503, "serviceNotAvailable", "", "Throttled Some(7s)"),
            (SessionStatus, 509, "", "", "Throttled Some(7s)"),
            (Fragment, 500, "generalException", "", "Ambiguous status 500 (generalException)"),
            (CreateSession, 502, "", "", "Ambiguous status 502 (502)"),
            (ItemLookup, 502, "", "", "NoEffect DESTINATION_UNAVAILABLE status 502 (502)"),
            (LastFragment, 504, "", "", "Ambiguous status 504 (504)"),
            (SmallPut, 408, "", "", "Ambiguous status 408 (408)"),
            (Fragment, 507, "quotaLimitReached", "", "QuotaExceeded"),
            (SmallPut, 507, "quotaLimitReached", "", "QuotaExceeded"),
            (Token, 507, "", "", "NoEffect DESTINATION_UNAVAILABLE status 507 (507)"),
            (CreateSession, 302, "", "", "Refused 302"),
            (Token, 429, "", "", "Throttled Some(7s)"),
            (Token, 500, "", "", "NoEffect DESTINATION_UNAVAILABLE status 500 (500)"),
            (Token, 404, "", "", "Unauthorized 404"),
        ] {
            let mut body = json!({"error": {"message": "/secret/name.pdf"}});
            if !outer.is_empty() {
                body["error"]["code"] = outer.into();
            }
            if !inner.is_empty() {
                body["error"]["innererror"] = json!({"date": "x", "innerError": {"code": inner}});
            }
            let error = classify(operation, &answer(status, &body));
            assert_eq!(kind(&error), meaning, "{operation:?} {status} {outer} {inner}");
        }
    }

    #[test]
    fn token_error_contains_the_flat_code_and_its_number() {
        let body = json!({"error": "invalid_client", "error_codes": [7_000_222, 1],
            "error_description": "AADSTS7000222: The provided client secret keys are expired."});
        for status in [400, 401] {
            let error = classify(Operation::Token, &answer(status, &body));
            assert_eq!(kind(&error), "Unauthorized invalid_client/7000222");
        }
        let body = json!({"error": "unauthorized_client"});
        let error = classify(Operation::Token, &answer(400, &body));
        assert_eq!(kind(&error), "Unauthorized unauthorized_client");
    }

    #[test]
    fn error_codes_are_stripped_of_other_characters() {
        let body = json!({"error": {"code": "a\nb https://x/?tempauth=s"}});
        assert_eq!(codes(&serde_json::to_vec(&body).unwrap()), ["abhttpsxtempauths"]);
        assert!(codes(b"<html>").is_empty());
        assert!(codes(br#"{"error":{"code":""}}"#).is_empty());
    }
}
