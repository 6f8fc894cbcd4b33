use docferry_app::ports::DriveError;
use serde_json::Value;

use crate::answer::Answer;

/// What was asked for: the same status means different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A token.
    Token,
    /// A user by name.
    User,
    /// Something in a user's drive.
    Drive,
    /// An upload URL.
    Session,
}

/// A server error, for the log: nothing of the answer but its code.
#[derive(Debug, thiserror::Error)]
#[error("status {status} ({code})")]
struct ServerFailure {
    status: u16,
    code: String,
}

/// The meaning of an answer that is not a success: the one place where statuses
/// become [`DriveError`]s.
pub(crate) fn classify(asked: Asked, answer: &Answer) -> DriveError {
    let codes = codes(&answer.body);
    let status = answer.status.as_u16();
    // A body without an envelope (a proxy's page, say) is named by its status.
    let code = || codes.last().cloned().unwrap_or_else(|| status.to_string());
    let says = |name: &str| codes.iter().any(|code| code == name);

    match (asked, status) {
        (_, 429 | 503 | 509) => DriveError::Throttled { retry_after: answer.retry_after },
        (_, 507) => DriveError::QuotaExceeded,
        (_, 408 | 500..=599) => {
            let code = code();
            DriveError::Ambiguous(Box::new(ServerFailure { status, code }))
        }
        (Asked::Token, _) => DriveError::Unauthorized { code: code() },
        (Asked::Session, 401 | 404 | 410) => DriveError::SessionGone,
        (Asked::Session, 400) if says("itemNotFound") || says("uploadSessionNotFound") => {
            DriveError::SessionGone
        }
        (Asked::Session, 416) => DriveError::OffsetMismatch,
        (Asked::User, 404) => DriveError::RecipientNotFound,
        // The user was there a moment ago, or it could not have been resolved.
        (Asked::Drive, 404) if says("Request_ResourceNotFound") => DriveError::RecipientNotFound,
        // The service creates missing folders, so only the drive can be missing.
        (Asked::Drive, 404) => DriveError::DriveNotProvisioned,
        (_, 401 | 403) => DriveError::Unauthorized { code: code() },
        (_, 409) => DriveError::Conflict,
        (_, 423) => DriveError::Locked,
        _ => DriveError::Refused { code: code() },
    }
}

/// The service's error codes, from the general to the most specific.
///
/// Graph nests `innerError` or `innererror`; the token endpoint has a flat string
/// and numbers, of which the first is appended (`invalid_client/7000222` tells an
/// expired secret from a wrong one).
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

/// Codes go into logs, so nothing but the characters of a code is kept.
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

    fn answer(status: u16, body: &Value) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: Some(Duration::from_secs(7)),
            body: serde_json::to_vec(body).unwrap().into(),
        }
    }

    fn kind(error: &DriveError) -> String {
        match error {
            DriveError::Throttled { retry_after } => format!("Throttled {retry_after:?}"),
            DriveError::Ambiguous(cause) => format!("Ambiguous {cause}"),
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

    /// Every row of the error table of Graph's contract.
    #[test]
    fn every_status_has_its_meaning() {
        use Asked::{Drive, Session, Token, User};
        for (asked, status, outer, inner, meaning) in [
            (
                Session,
                400,
                "invalidRequest",
                "fragmentLengthMismatch",
                "Refused fragmentLengthMismatch",
            ),
            (Drive, 400, "invalidRequest", "invalidPath", "Refused invalidPath"),
            (Drive, 400, "invalidRequest", "pathIsTooLong", "Refused pathIsTooLong"),
            (Drive, 400, "invalidRequest", "maxFileSizeExceeded", "Refused maxFileSizeExceeded"),
            (
                Drive,
                401,
                "InvalidAuthenticationToken",
                "",
                "Unauthorized InvalidAuthenticationToken",
            ),
            (Drive, 403, "accessDenied", "", "Unauthorized accessDenied"),
            (User, 404, "Request_ResourceNotFound", "", "RecipientNotFound"),
            (Drive, 404, "ResourceNotFound", "", "DriveNotProvisioned"),
            (Drive, 404, "itemNotFound", "", "DriveNotProvisioned"),
            (Drive, 404, "Request_ResourceNotFound", "", "RecipientNotFound"),
            (Session, 401, "unauthenticated", "expiredToken", "SessionGone"),
            (Session, 404, "itemNotFound", "uploadSessionNotFound", "SessionGone"),
            (Session, 400, "itemNotFound", "uploadSessionNotFound", "SessionGone"),
            (Session, 400, "uploadSessionNotFound", "", "SessionGone"),
            (Session, 410, "", "", "SessionGone"),
            (Drive, 409, "nameAlreadyExists", "", "Conflict"),
            (Session, 409, "nameAlreadyExists", "", "Conflict"),
            (Drive, 412, "preconditionFailed", "", "Refused preconditionFailed"),
            (Session, 411, "", "", "Refused 411"),
            (Session, 416, "invalidRange", "fragmentOverlap", "OffsetMismatch"),
            (Session, 416, "invalidRange", "fragmentOutOfOrder", "OffsetMismatch"),
            (Session, 423, "resourceLocked", "", "Locked"),
            (Drive, 423, "notAllowed", "resourceLocked", "Locked"),
            (Drive, 429, "activityLimitReached", "", "Throttled Some(7s)"),
            (Session, 503, "serviceNotAvailable", "", "Throttled Some(7s)"),
            (Session, 509, "", "", "Throttled Some(7s)"),
            (Session, 500, "generalException", "", "Ambiguous status 500 (generalException)"),
            (Drive, 502, "", "", "Ambiguous status 502 (502)"),
            (Session, 504, "", "", "Ambiguous status 504 (504)"),
            (Drive, 408, "", "", "Ambiguous status 408 (408)"),
            (Session, 507, "quotaLimitReached", "", "QuotaExceeded"),
            (Drive, 507, "quotaLimitReached", "", "QuotaExceeded"),
            (Drive, 302, "", "", "Refused 302"),
            (Token, 429, "", "", "Throttled Some(7s)"),
            (Token, 500, "", "", "Ambiguous status 500 (500)"),
            (Token, 404, "", "", "Unauthorized 404"),
        ] {
            let mut body = json!({"error": {"message": "/secret/name.pdf"}});
            if !outer.is_empty() {
                body["error"]["code"] = outer.into();
            }
            if !inner.is_empty() {
                body["error"]["innererror"] = json!({"date": "x", "innerError": {"code": inner}});
            }
            let error = classify(asked, &answer(status, &body));
            assert_eq!(kind(&error), meaning, "{asked:?} {status} {outer} {inner}");
        }
    }

    #[test]
    fn token_errors_name_the_flat_code_and_its_number() {
        let body = json!({"error": "invalid_client", "error_codes": [7_000_222, 1],
            "error_description": "AADSTS7000222: The provided client secret keys are expired."});
        for status in [400, 401] {
            let error = classify(Asked::Token, &answer(status, &body));
            assert_eq!(kind(&error), "Unauthorized invalid_client/7000222");
        }
        let body = json!({"error": "unauthorized_client"});
        let error = classify(Asked::Token, &answer(400, &body));
        assert_eq!(kind(&error), "Unauthorized unauthorized_client");
    }

    #[test]
    fn codes_are_stripped_of_what_is_no_code() {
        let body = json!({"error": {"code": "a\nb https://x/?tempauth=s"}});
        assert_eq!(codes(&serde_json::to_vec(&body).unwrap()), ["abhttpsxtempauths"]);
        assert!(codes(b"<html>").is_empty());
        assert!(codes(br#"{"error":{"code":""}}"#).is_empty());
    }
}
