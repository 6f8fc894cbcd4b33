//! Rows of the fault table in which Microsoft Graph refuses a request with an error status.

use docferry_app::ports::ConflictPolicy::Fail;
use docferry_domain::failure::FailureCode::*;
use serde_json::json;

use super::rules::{FRAGMENT_SIZE, LAST_FRAGMENT_SIZE, always_locked, second_fragment_status};
use crate::bench::RETRIES;
use crate::row::{LARGE_SIZE, Row, large};

/// Rows in which Microsoft Graph refuses a request with an error status.
pub(super) fn refusals() -> Vec<Row> {
    let last_fragment = |status: u16| json!({ "operation": "lastFragment", "status": status });
    let session_creation = |status: u16| json!({ "operation": "createSession", "status": status });
    let with_code =
        |code: &str| json!({ "operation": "createSession", "status": 400, "code": code });
    vec![
        large("F12", "createSession: 409, policy fail", json!([]))
            .with_policy(Fail)
            .with_existing_file()
            .expect_failure(DestinationConflict, 0)
            .expect_sessions(0)
            .expect_files(1),
        large("F12", "last: 409", last_fragment(409)).expect_resent_bytes(LARGE_SIZE as i64).expect_sessions(2),
        large("F12", "last: 409 always", json!({
            "operation": "lastFragment", "status": 409, "count": 0,
        }))
        .expect_failure(DestinationLocked, 5 * LARGE_SIZE as i64)
        .expect_sessions(5),
        large("F12", "createSession: 423", session_creation(423)),
        large("F12", "createSession: 423 always", always_locked("createSession"))
            .expect_failure(DestinationLocked, 0)
            .expect_sessions(0),
        large("F12", "last: 423", last_fragment(423)).expect_resent_bytes(LAST_FRAGMENT_SIZE),
        large("F12", "last: 423 always", always_locked("lastFragment"))
            .expect_failure(DestinationLocked, LARGE_SIZE as i64 + i64::from(RETRIES) * LAST_FRAGMENT_SIZE),
        large("F12", "createSession: 507", session_creation(507)).expect_failure(QuotaExceeded, 0).expect_sessions(0),
        large("F12", "last: 507", last_fragment(507)).expect_failure(QuotaExceeded, LARGE_SIZE as i64),
        large("–", "createSession: 403", session_creation(403))
            .expect_failure(DestinationUnauthorized, 0)
            .expect_sessions(0),
        large("–", "createSession: 400 invalidPath", with_code("invalidPath"))
            .expect_failure(DestinationRefused, 0)
            .expect_sessions(0),
        large("–", "createSession: 400 maxFileSizeExceeded", with_code("maxFileSizeExceeded"))
            .expect_failure(DestinationRefused, 0)
            .expect_sessions(0),
        large("F12", "fragment 2: 409", second_fragment_status(409)).expect_resent_bytes(2 * FRAGMENT_SIZE).expect_sessions(2),
        large("F12", "fragment 2: 412", second_fragment_status(412)).expect_resent_bytes(2 * FRAGMENT_SIZE).expect_sessions(2),
        large("–", "fragment 2: 400 fragmentLengthMismatch", json!({
            "operation": "fragment", "position": 2, "status": 400, "code": "fragmentLengthMismatch",
        }))
        .expect_failure(DestinationRefused, 2 * FRAGMENT_SIZE),
    ]
}
