//! Sizes and fault rules that several groups of rows use.

use serde_json::{Value, json};

use crate::row::LARGE_SIZE;

/// Size of a fragment in bytes.
pub(super) const FRAGMENT_SIZE: i64 = 4 * 327_680;

/// Size of the last of the four fragments of a large document.
pub(super) const LAST_FRAGMENT_SIZE: i64 = LARGE_SIZE as i64 - 3 * FRAGMENT_SIZE;

/// Returns a rule for the second fragment.
pub(super) fn second_fragment_rule(field: &str, value: Value) -> Value {
    json!({ "operation": "fragment", "position": 2, field: value })
}

/// Returns a rule that answers the second fragment with this status.
pub(super) fn second_fragment_status(status: u16) -> Value {
    second_fragment_rule("status", json!(status))
}

/// Returns a rule that answers the second fragment with this status, and with `Retry-After` unless
/// it is null.
pub(super) fn throttled_second_fragment(status: u16, retry_after: Value) -> Value {
    let mut rule = second_fragment_status(status);
    if !retry_after.is_null() {
        rule["retryAfter"] = retry_after;
    }
    rule
}

/// Returns a rule for a file that another user keeps open.
pub(super) fn always_locked(operation: &str) -> Value {
    json!({ "operation": operation, "status": 423, "count": 0 })
}
