//! Rows of the fault table with faults of a fragment in the middle of the document, with
//! throttling, and with changes of the source object.

use docferry_domain::failure::FailureCode::*;
use docferry_testkit::World;
use serde_json::{Value, json};

use super::rules::{
    FRAGMENT_SIZE, second_fragment_rule, second_fragment_status, throttled_second_fragment,
};
use crate::row::{Row, SMALL_SIZE, large, small};

/// Rows with faults of the second fragment.
pub(super) fn fragments() -> Vec<Row> {
    // The simulator stores a part of the second fragment, and then returns the status. `share` is
    // the stored part: 1.0 is the whole fragment.
    let stored = |share: f64, status: u16| json!({ "operation": "fragment", "position": 2, "status": status, "storeFraction": share });
    vec![
        large("F7", "fragment 2: stored, response lost", second_fragment_rule("dropResponse", json!(true))),
        large(
            "F7",
            "fragment 2: half stored, reset",
            json!({
                "operation": "fragment", "position": 2, "dropResponse": true, "storeFraction": 0.5,
            }),
        )
        .expect_resent_bytes(FRAGMENT_SIZE / 2),
        large("F7", "fragment 2: 500", second_fragment_status(500)).expect_resent_bytes(FRAGMENT_SIZE),
        large("F7", "fragment 2: 502", second_fragment_status(502)).expect_resent_bytes(FRAGMENT_SIZE),
        large("F7", "fragment 2: 504", second_fragment_status(504)).expect_resent_bytes(FRAGMENT_SIZE),
        large("F7", "fragment 2: stored, 500", stored(1.0, 500)),
        large("F7", "fragment 2: stored to an odd byte, 500", stored(0.3, 500))
            .expect_resent_bytes(FRAGMENT_SIZE - FRAGMENT_SIZE * 3 / 10),
        large("F7", "fragment 2: stored, 202 without ranges", second_fragment_rule("emptyRanges", json!(true))),
        large(
            "F7",
            "fragment 2: 500, then a status without ranges",
            json!([
                second_fragment_status(500), { "operation": "sessionStatus", "emptyRanges": true },
            ]),
        )
        .expect_resent_bytes(FRAGMENT_SIZE),
        large(
            "F7",
            "fragment 2: 500, then status 500 twice",
            json!([
                second_fragment_status(500), { "operation": "sessionStatus", "status": 500, "count": 2 },
            ]),
        )
        .expect_resent_bytes(FRAGMENT_SIZE),
        large("F8", "fragment 2: 416, server behind", stored(0.0, 416)).expect_resent_bytes(FRAGMENT_SIZE),
        large("F8", "fragment 2: 416, server ahead", stored(1.0, 416)),
        large("F8", "fragment 2: 416, server at an odd byte", stored(0.3, 416))
            .expect_resent_bytes(FRAGMENT_SIZE - FRAGMENT_SIZE * 3 / 10),
    ]
}

/// Rows in which the drive throttles the client.
pub(super) fn throttling() -> Vec<Row> {
    let date = json!("Wed, 21 Oct 2099 07:28:00 GMT");
    vec![
        large("F10", "fragment 2: 429, Retry-After 0", throttled_second_fragment(429, json!(0))).expect_resent_bytes(FRAGMENT_SIZE),
        large("F10", "fragment 2: 503, Retry-After 322", throttled_second_fragment(503, json!(322)))
            .expect_resent_bytes(FRAGMENT_SIZE),
        large("F10", "fragment 2: 509, no Retry-After", throttled_second_fragment(509, Value::Null))
            .expect_resent_bytes(FRAGMENT_SIZE),
        large("F10", "fragment 2: 429, invalid Retry-After", throttled_second_fragment(429, json!("soon")))
            .expect_resent_bytes(FRAGMENT_SIZE),
        large("F10", "fragment 2: 429, Retry-After a date beyond the deadline", throttled_second_fragment(429, date))
            .expect_failure(DeadlineExceeded, 2 * FRAGMENT_SIZE),
        large("F10", "createSession: 429, Retry-After 120", json!({
            "operation": "createSession", "status": 429, "retryAfter": 120,
        })),
        large("F10", "session status: 503, Retry-After 5", json!([
            second_fragment_status(500), { "operation": "sessionStatus", "status": 503, "retryAfter": 5 },
        ]))
        .expect_resent_bytes(FRAGMENT_SIZE),
        small("F10", "PUT: 429, Retry-After 322", json!({
            "operation": "simplePut", "status": 429, "retryAfter": 322,
        }))
        .expect_resent_bytes(SMALL_SIZE as i64),
    ]
}

/// Rows in which the source changes during a pause that the drive has requested.
pub(super) fn changed_source() -> Vec<Row> {
    let pause = || throttled_second_fragment(429, json!(120));
    vec![
        large("F20", "rewritten with another ETag", pause())
            .change_source_during_pauses(|world| {
                change_object(world, |object| object.etag = "\"another\"".into());
            })
            .expect_resent_bytes(2 * FRAGMENT_SIZE)
            .expect_sessions(2),
        large("F20", "replaced by a shorter object", pause())
            .change_source_during_pauses(|world| {
                let shorter = vec![7_u8; 17];
                world.put_object("order.pdf", shorter.into());
            })
            .expect_failure(SourceChanged, 2 * FRAGMENT_SIZE),
        large("F20", "deleted", pause())
            .change_source_during_pauses(|world| world.state().objects.clear())
            .expect_failure(SourceGone, 2 * FRAGMENT_SIZE),
    ]
}

fn change_object(world: &World, change: impl FnOnce(&mut docferry_testkit::Object)) {
    change(world.state().objects.get_mut("order.pdf").unwrap());
}
