//! Sizes and fault rules that several groups of rows of the fault table use. A fault rule tells the
//! simulator of Microsoft Graph which request it disturbs and how.

use serde_json::{Value, json};

use crate::row::LARGE_SIZE;

/// Size of a fragment in bytes.
pub(super) const FRAGMENT_SIZE: i64 = 4 * 327_680;

/// Size of the last of the four fragments of a large document.
pub(super) const LAST_FRAGMENT_SIZE: i64 = LARGE_SIZE as i64 - 3 * FRAGMENT_SIZE;

/// Returns a rule for the second fragment. `field` is the property of the rule that says what
/// happens.
pub(super) fn second_fragment_rule(field: &str, value: Value) -> Value {
    json!({ "operation": "fragment", "position": 2, field: value })
}

/// Returns a rule by which the simulator responds to the second fragment with this status.
pub(super) fn second_fragment_status(status: u16) -> Value {
    second_fragment_rule("status", json!(status))
}

/// Returns a rule by which the simulator responds to the second fragment with this status. The
/// response has the header `Retry-After` if `retry_after` is not null.
pub(super) fn throttled_second_fragment(status: u16, retry_after: Value) -> Value {
    let mut rule = second_fragment_status(status);
    if !retry_after.is_null() {
        rule["retryAfter"] = retry_after;
    }
    rule
}

/// Returns a rule by which the file stays locked, as if another user kept it open.
pub(super) fn always_locked(operation: &str) -> Value {
    json!({ "operation": operation, "status": 423, "count": 0 })
}
