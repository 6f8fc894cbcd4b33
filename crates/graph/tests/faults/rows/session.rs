//! Rows of the fault table without a fault, and with faults of upload sessions.

use docferry_app::ports::ConflictPolicy::Fail;
use docferry_domain::failure::FailureCode::*;
use serde_json::json;

use super::rules::{FRAGMENT_SIZE, second_fragment_rule, second_fragment_status};
use crate::row::{Row, SMALL_SIZE, large, row, small};

/// Rows without a fault, and with faults of the creation of the session.
pub(super) fn session_creation() -> Vec<Row> {
    let response_lost = || json!({ "operation": "createSession", "dropResponse": true });
    vec![
        large("–", "none", json!([])),
        small("–", "none, put whole", json!([])),
        row("–", "none, empty", 0, json!([])),
        large("F6", "createSession: response lost", response_lost())
            .with_expiring_sessions()
            .expect_sessions(2),
        large("F6", "createSession: response lost, older file", response_lost())
            .with_existing_file()
            .with_expiring_sessions()
            .expect_sessions(2),
        large("F6", "createSession: response lost, session never expires", response_lost())
            .expect_failure(DestinationLocked, 0),
        large("F6", "createSession: response lost, policy fail", response_lost())
            .with_policy(Fail)
            .with_expiring_sessions()
            .expect_sessions(2),
        large("F6", "createSession: 500", json!({ "operation": "createSession", "status": 500 })),
        large("F21", "createSession: 401", json!({ "operation": "createSession", "status": 401 })),
        large(
            "F21",
            "item lookup: 401",
            json!([
                { "operation": "lastFragment", "noItem": true }, { "operation": "getItem", "status": 401 },
            ]),
        ),
        small("F21", "PUT: 401", json!({ "operation": "simplePut", "status": 401 }))
            .expect_resent_bytes(SMALL_SIZE as i64),
    ]
}

/// Rows in which the session is lost.
pub(super) fn lost_sessions() -> Vec<Row> {
    let with_code = |status: u16, code: &str| json!({ "operation": "fragment", "position": 2, "status": status, "code": code });
    let two_fragments = 2 * FRAGMENT_SIZE;
    vec![
        large("F9", "fragment 2: session expired", second_fragment_rule("expireSession", json!(true)))
            .expect_resent_bytes(two_fragments)
            .expect_sessions(2),
        large("F9", "fragment 2: 401", with_code(401, "unauthenticated"))
            .expect_resent_bytes(two_fragments)
            .expect_sessions(2),
        large("F9", "fragment 2: 403", with_code(403, "accessDenied"))
            .expect_resent_bytes(two_fragments)
            .expect_sessions(2),
        large("F9", "fragment 2: 404", with_code(404, "itemNotFound"))
            .expect_resent_bytes(two_fragments)
            .expect_sessions(2),
        large("F9", "fragment 2: 400 session not found", with_code(400, "uploadSessionNotFound"))
            .expect_resent_bytes(two_fragments)
            .expect_sessions(2),
        large(
            "F9",
            "session status: session expired",
            json!([
                second_fragment_status(500), { "operation": "sessionStatus", "expireSession": true },
            ]),
        )
        .expect_resent_bytes(two_fragments)
        .expect_sessions(2),
    ]
}
