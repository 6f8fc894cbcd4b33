//! Fault table: every fault, by position, with its expected result.

use docferry_app::ports::ConflictPolicy::{Fail, Rename};
use docferry_domain::failure::FailureCode::*;
use docferry_testkit::World;
use serde_json::{Value, json};

use crate::bench::RETRIES;
use crate::row::{LARGE, Row, SMALL, large, row, small};

const FRAGMENT: i64 = 4 * 327_680;
const LAST: i64 = LARGE as i64 - 3 * FRAGMENT;

/// Returns a rule for the second fragment.
fn second(field: &str, value: Value) -> Value {
    json!({ "operation": "fragment", "position": 2, field: value })
}

fn second_status(status: u16) -> Value {
    second("status", json!(status))
}

fn throttled(status: u16, retry_after: Value) -> Value {
    let mut rule = second_status(status);
    if !retry_after.is_null() {
        rule["retryAfter"] = retry_after;
    }
    rule
}

pub(crate) fn rows() -> Vec<Row> {
    [opening(), fragments(), sessions(), throttling(), last(), refusals(), source(), whole()]
        .into_iter()
        .flatten()
        .collect()
}

fn opening() -> Vec<Row> {
    let lost = || json!({ "operation": "createSession", "dropResponse": true });
    vec![
        large("–", "none", json!([])),
        small("–", "none, put whole", json!([])),
        row("–", "none, empty", 0, json!([])),
        large("F6", "createSession: response lost", lost()).sessions_expire().sessions(2),
        large("F6", "createSession: response lost, older file", lost())
            .with_existing_file()
            .sessions_expire()
            .sessions(2),
        large("F6", "createSession: response lost, session never expires", lost())
            .fails(DestinationLocked, 0),
        large("F6", "createSession: response lost, policy fail", lost())
            .under(Fail)
            .sessions_expire()
            .sessions(2),
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
            .again(SMALL as i64),
    ]
}

fn fragments() -> Vec<Row> {
    let stored = |x: f64, status: u16| json!({ "operation": "fragment", "position": 2, "status": status, "storeFraction": x });
    vec![
        large("F7", "fragment 2: stored, response lost", second("dropResponse", json!(true))),
        large(
            "F7",
            "fragment 2: half stored, reset",
            json!({
                "operation": "fragment", "position": 2, "dropResponse": true, "storeFraction": 0.5,
            }),
        )
        .again(FRAGMENT / 2),
        large("F7", "fragment 2: 500", second_status(500)).again(FRAGMENT),
        large("F7", "fragment 2: 502", second_status(502)).again(FRAGMENT),
        large("F7", "fragment 2: 504", second_status(504)).again(FRAGMENT),
        large("F7", "fragment 2: stored, 500", stored(1.0, 500)),
        large("F7", "fragment 2: stored to an odd byte, 500", stored(0.3, 500))
            .again(FRAGMENT - FRAGMENT * 3 / 10),
        large("F7", "fragment 2: stored, 202 without ranges", second("emptyRanges", json!(true))),
        large(
            "F7",
            "fragment 2: 500, then a status without ranges",
            json!([
                second_status(500), { "operation": "sessionStatus", "emptyRanges": true },
            ]),
        )
        .again(FRAGMENT),
        large(
            "F7",
            "fragment 2: 500, then status 500 twice",
            json!([
                second_status(500), { "operation": "sessionStatus", "status": 500, "count": 2 },
            ]),
        )
        .again(FRAGMENT),
        large("F8", "fragment 2: 416, server behind", stored(0.0, 416)).again(FRAGMENT),
        large("F8", "fragment 2: 416, server ahead", stored(1.0, 416)),
        large("F8", "fragment 2: 416, server at an odd byte", stored(0.3, 416))
            .again(FRAGMENT - FRAGMENT * 3 / 10),
    ]
}

fn sessions() -> Vec<Row> {
    let with_code = |status: u16, code: &str| json!({ "operation": "fragment", "position": 2, "status": status, "code": code });
    let two_fragments = 2 * FRAGMENT;
    vec![
        large("F9", "fragment 2: session expired", second("expireSession", json!(true)))
            .again(two_fragments)
            .sessions(2),
        large("F9", "fragment 2: 401", with_code(401, "unauthenticated"))
            .again(two_fragments)
            .sessions(2),
        large("F9", "fragment 2: 403", with_code(403, "accessDenied"))
            .again(two_fragments)
            .sessions(2),
        large("F9", "fragment 2: 404", with_code(404, "itemNotFound"))
            .again(two_fragments)
            .sessions(2),
        large("F9", "fragment 2: 400 session not found", with_code(400, "uploadSessionNotFound"))
            .again(two_fragments)
            .sessions(2),
        large(
            "F9",
            "session status: session expired",
            json!([
                second_status(500), { "operation": "sessionStatus", "expireSession": true },
            ]),
        )
        .again(two_fragments)
        .sessions(2),
    ]
}

fn throttling() -> Vec<Row> {
    let date = json!("Wed, 21 Oct 2099 07:28:00 GMT");
    vec![
        large("F10", "fragment 2: 429, Retry-After 0", throttled(429, json!(0))).again(FRAGMENT),
        large("F10", "fragment 2: 503, Retry-After 322", throttled(503, json!(322)))
            .again(FRAGMENT),
        large("F10", "fragment 2: 509, no Retry-After", throttled(509, Value::Null))
            .again(FRAGMENT),
        large("F10", "fragment 2: 429, invalid Retry-After", throttled(429, json!("soon")))
            .again(FRAGMENT),
        large("F10", "fragment 2: 429, Retry-After a date beyond the deadline", throttled(429, date))
            .fails(DeadlineExceeded, 2 * FRAGMENT),
        large("F10", "createSession: 429, Retry-After 120", json!({
            "operation": "createSession", "status": 429, "retryAfter": 120,
        })),
        large("F10", "session status: 503, Retry-After 5", json!([
            second_status(500), { "operation": "sessionStatus", "status": 503, "retryAfter": 5 },
        ]))
        .again(FRAGMENT),
        small("F10", "PUT: 429, Retry-After 322", json!({
            "operation": "simplePut", "status": 429, "retryAfter": 322,
        }))
        .again(SMALL as i64),
    ]
}

fn last() -> Vec<Row> {
    let last_with =
        |field: &str, value: Value| json!({ "operation": "lastFragment", field: value });
    let last_500 =
        |count: u32| json!({ "operation": "lastFragment", "status": 500, "count": count });
    // After three failures of the last fragment, a new session uses fragments of half the size.
    // This is the size of the last fragment there.
    let last_of_halved = LARGE as i64 % (FRAGMENT / 2);
    vec![
        large("F11", "last: stored, response lost", last_with("dropResponse", json!(true))),
        large("F11", "last: stored, response lost, rename", last_with("dropResponse", json!(true)))
            .under(Rename)
            .with_existing_file()
            .files(2),
        large("F11", "last: stored, response lost, fail", last_with("dropResponse", json!(true)))
            .under(Fail),
        large("F11", "last: 500 once", last_with("status", json!(500))).again(LAST),
        large("F11", "last: 201 without an item", last_with("noItem", json!(true))),
        large("F11", "last: 201 without a hash", last_with("noHash", json!(true))),
        large(
            "F11",
            "last: 201, hash missing twice",
            json!([
                { "operation": "lastFragment", "noHash": true },
                { "operation": "getItem", "noHash": true },
            ]),
        ),
        large("F13", "last: 500 three times", last_500(3))
            .again(3 * LAST + LARGE as i64 - LAST)
            .sessions(2),
        large("F13", "last: 500 always", last_500(0))
            // The first session receives the document with three tries of its last fragment. The
            // second one receives all but its last fragment, then three tries of that, and three
            // more for each retry of the workflow.
            .fails(
                DestinationUnavailable,
                2 * LARGE as i64
                    + 2 * LAST
                    + 2 * last_of_halved
                    + 3 * i64::from(RETRIES) * last_of_halved,
            )
            .sessions(2),
        large("F14", "last: an Office file is rewritten", last_with("rewrite", json!(true)))
            .named("order.docx")
            .rewritten(),
        large(
            "F14",
            "last: an Office file is rewritten, response lost",
            json!({
                "operation": "lastFragment", "rewrite": true, "dropResponse": true,
            }),
        )
        .named("order.docx")
        .again(LARGE as i64)
        .sessions(2),
        large("F14", "last: a .doc is rewritten", last_with("rewrite", json!(true)))
            .named("order.doc")
            .rewritten(),
        large("F14", "last: a .jpg is rewritten", last_with("rewrite", json!(true)))
            .named("photo.jpg")
            .rewritten(),
        large("F14", "last: a container is rewritten", last_with("rewrite", json!(true)))
            .named("order.docx")
            .container()
            .rewritten(),
        large(
            "F14",
            "last: a container is rewritten, response lost, rename",
            json!({ "operation": "lastFragment", "rewrite": true, "dropResponse": true }),
        )
        .named("order.xlsx")
        .container()
        .under(Rename)
        .with_existing_file()
        .files(2)
        .rewritten(),
        large(
            "F14",
            "last: a container is rewritten, content 500, 429, lost",
            json!([
                { "operation": "lastFragment", "rewrite": true },
                { "operation": "getContent", "status": 500 },
                { "operation": "getContent", "status": 429, "retryAfter": 1 },
                { "operation": "download", "dropResponse": true },
            ]),
        )
        .named("order.pptx")
        .container()
        .rewritten(),
        large(
            "F14",
            "last: a container is rewritten, content 403",
            json!([
                { "operation": "lastFragment", "rewrite": true },
                { "operation": "getContent", "status": 403, "count": 0 },
            ]),
        )
        .named("order.docx")
        .container()
        .fails(DestinationRewritten, LARGE as i64)
        .files(1),
        large("F14", "last: 201 with another size", last_with("rewrite", json!(true)))
            .fails(VerificationFailed, LARGE as i64)
            .files(1),
        large("F14", "last: 201 with another hash", last_with("corruptHash", json!(true)))
            .fails(VerificationFailed, LARGE as i64)
            .files(1),
    ]
}

/// Returns a rule for a file that another user keeps open.
fn locked(operation: &str) -> Value {
    json!({ "operation": operation, "status": 423, "count": 0 })
}

fn refusals() -> Vec<Row> {
    let last = |status: u16| json!({ "operation": "lastFragment", "status": status });
    let creation = |status: u16| json!({ "operation": "createSession", "status": status });
    let with_code =
        |code: &str| json!({ "operation": "createSession", "status": 400, "code": code });
    vec![
        large("F12", "createSession: 409, policy fail", json!([]))
            .under(Fail)
            .with_existing_file()
            .fails(DestinationConflict, 0)
            .sessions(0)
            .files(1),
        large("F12", "last: 409", last(409)).again(LARGE as i64).sessions(2),
        large("F12", "last: 409 always", json!({
            "operation": "lastFragment", "status": 409, "count": 0,
        }))
        .fails(DestinationLocked, 5 * LARGE as i64)
        .sessions(5),
        large("F12", "createSession: 423", creation(423)),
        large("F12", "createSession: 423 always", locked("createSession"))
            .fails(DestinationLocked, 0)
            .sessions(0),
        large("F12", "last: 423", last(423)).again(LAST),
        large("F12", "last: 423 always", locked("lastFragment"))
            .fails(DestinationLocked, LARGE as i64 + i64::from(RETRIES) * LAST),
        large("F12", "createSession: 507", creation(507)).fails(QuotaExceeded, 0).sessions(0),
        large("F12", "last: 507", last(507)).fails(QuotaExceeded, LARGE as i64),
        large("–", "createSession: 403", creation(403))
            .fails(DestinationUnauthorized, 0)
            .sessions(0),
        large("–", "createSession: 400 invalidPath", with_code("invalidPath"))
            .fails(DestinationRefused, 0)
            .sessions(0),
        large("–", "createSession: 400 maxFileSizeExceeded", with_code("maxFileSizeExceeded"))
            .fails(DestinationRefused, 0)
            .sessions(0),
        large("F12", "fragment 2: 409", second_status(409)).again(2 * FRAGMENT).sessions(2),
        large("F12", "fragment 2: 412", second_status(412)).again(2 * FRAGMENT).sessions(2),
        large("–", "fragment 2: 400 fragmentLengthMismatch", json!({
            "operation": "fragment", "position": 2, "status": 400, "code": "fragmentLengthMismatch",
        }))
        .fails(DestinationRefused, 2 * FRAGMENT),
    ]
}

/// Rows in which the source changes during a pause that the drive has requested.
fn source() -> Vec<Row> {
    let pause = || throttled(429, json!(120));
    vec![
        large("F20", "rewritten with another ETag", pause())
            .meanwhile(|world| change_object(world, |object| object.etag = "\"another\"".into()))
            .again(2 * FRAGMENT)
            .sessions(2),
        large("F20", "replaced by a shorter object", pause())
            .meanwhile(|world| {
                let shorter = vec![7_u8; 17];
                world.put_object("order.pdf", shorter.into());
            })
            .fails(SourceChanged, 2 * FRAGMENT),
        large("F20", "deleted", pause())
            .meanwhile(|world| world.state().objects.clear())
            .fails(SourceGone, 2 * FRAGMENT),
    ]
}

fn change_object(world: &World, change: impl FnOnce(&mut docferry_testkit::Object)) {
    change(world.state().objects.get_mut("order.pdf").unwrap());
}

fn whole() -> Vec<Row> {
    let put = |field: &str, value: Value| json!({ "operation": "simplePut", field: value });
    let stored_500 = json!({ "operation": "simplePut", "status": 500, "storeFraction": 1 });
    let size = SMALL as i64;
    vec![
        small("F11", "PUT: stored, response lost", put("dropResponse", json!(true))),
        small("F11", "PUT: stored, response lost, rename", put("dropResponse", json!(true)))
            .under(Rename),
        small("F11", "PUT: stored, 500", stored_500),
        small("F11", "PUT: 500", put("status", json!(500))).again(size),
        small("F11", "PUT: 201 without an item", put("noItem", json!(true))),
        small("F11", "PUT: 201 without a hash", put("noHash", json!(true))),
        small("F12", "PUT: name taken, rename", json!([]))
            .under(Rename)
            .with_existing_file()
            .again(size)
            .files(2),
        small("F12", "PUT: name taken, fail", json!([]))
            .under(Fail)
            .with_existing_file()
            .fails(DestinationConflict, size)
            .files(1),
        small("F12", "PUT: 423", put("status", json!(423))).again(size),
        small("F12", "PUT: 423 always", locked("simplePut"))
            .fails(DestinationLocked, (1 + i64::from(RETRIES)) * size),
        small("F12", "PUT: 507", put("status", json!(507))).fails(QuotaExceeded, size),
        small("F14", "PUT: an Office file is rewritten", put("rewrite", json!(true)))
            .named("order.docx")
            .rewritten(),
        small(
            "F14",
            "PUT: a container is rewritten, response lost",
            json!({ "operation": "simplePut", "rewrite": true, "dropResponse": true }),
        )
        .named("order.docx")
        .container()
        .rewritten(),
        small("F14", "PUT: 201 with another size", put("rewrite", json!(true)))
            .fails(VerificationFailed, size)
            .files(1),
        small("F14", "PUT: 201 with another hash", put("corruptHash", json!(true)))
            .fails(VerificationFailed, size)
            .files(1),
        row("F11", "PUT of an empty document: response lost", 0, put("dropResponse", json!(true))),
    ]
}
