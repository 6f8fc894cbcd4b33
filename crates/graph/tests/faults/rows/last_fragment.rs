//! Rows of the fault table with faults of the last fragment of a document, whose response completes
//! the upload.

use docferry_app::ports::ConflictPolicy::{Fail, Rename};
use docferry_domain::failure::FailureCode::*;
use serde_json::{Value, json};

use super::rules::{FRAGMENT_SIZE, LAST_FRAGMENT_SIZE};
use crate::bench::RETRIES;
use crate::row::{LARGE_SIZE, Row, large};

/// Rows with faults of the last fragment.
pub(super) fn last_fragment() -> Vec<Row> {
    let last_fragment_rule =
        |field: &str, value: Value| json!({ "operation": "lastFragment", field: value });
    // If `count` is 0, every request for the last fragment fails.
    let last_500 =
        |count: u32| json!({ "operation": "lastFragment", "status": 500, "count": count });
    // After three failures of the last fragment, the client opens a new session and sends fragments
    // of half the size. This is the size of the last fragment in the new session.
    let halved_last_fragment_size = LARGE_SIZE as i64 % (FRAGMENT_SIZE / 2);
    vec![
        large(
            "F11",
            "last: stored, response lost",
            last_fragment_rule("dropResponse", json!(true)),
        ),
        large(
            "F11",
            "last: stored, response lost, rename",
            last_fragment_rule("dropResponse", json!(true)),
        )
        .with_policy(Rename)
        .with_existing_file()
        .expect_files(2),
        large(
            "F11",
            "last: stored, response lost, fail",
            last_fragment_rule("dropResponse", json!(true)),
        )
        .with_policy(Fail),
        large("F11", "last: 500 once", last_fragment_rule("status", json!(500)))
            .expect_resent_bytes(LAST_FRAGMENT_SIZE),
        large("F11", "last: 201 without an item", last_fragment_rule("noItem", json!(true))),
        large("F11", "last: 201 without a hash", last_fragment_rule("noHash", json!(true))),
        large(
            "F11",
            "last: 201, hash missing twice",
            json!([
                { "operation": "lastFragment", "noHash": true },
                { "operation": "getItem", "noHash": true },
            ]),
        ),
        large("F13", "last: 500 three times", last_500(3))
            // The first session receives the document, and its last fragment two more times. The
            // second session receives the whole document again.
            .expect_resent_bytes(2 * LAST_FRAGMENT_SIZE + LARGE_SIZE as i64)
            .expect_sessions(2),
        large("F13", "last: 500 always", last_500(0))
            // The first session receives the document, and its last fragment two more times. The
            // second session receives the document, and its last fragment two more times. Each
            // retry of the workflow sends the last fragment three more times.
            .expect_failure(
                DestinationUnavailable,
                2 * LARGE_SIZE as i64
                    + 2 * LAST_FRAGMENT_SIZE
                    + 2 * halved_last_fragment_size
                    + 3 * i64::from(RETRIES) * halved_last_fragment_size,
            )
            .expect_sessions(2),
        large(
            "F14",
            "last: an Office file is rewritten",
            last_fragment_rule("rewrite", json!(true)),
        )
        .with_name("order.docx")
        .expect_rewritten(),
        large(
            "F14",
            "last: an Office file is rewritten, response lost",
            json!({
                "operation": "lastFragment", "rewrite": true, "dropResponse": true,
            }),
        )
        .with_name("order.docx")
        .expect_resent_bytes(LARGE_SIZE as i64)
        .expect_sessions(2),
        large("F14", "last: a .doc is rewritten", last_fragment_rule("rewrite", json!(true)))
            .with_name("order.doc")
            .expect_rewritten(),
        large("F14", "last: a .jpg is rewritten", last_fragment_rule("rewrite", json!(true)))
            .with_name("photo.jpg")
            .expect_rewritten(),
        large("F14", "last: a container is rewritten", last_fragment_rule("rewrite", json!(true)))
            .with_name("order.docx")
            .into_zip_container()
            .expect_rewritten(),
        large(
            "F14",
            "last: a container is rewritten, response lost, rename",
            json!({ "operation": "lastFragment", "rewrite": true, "dropResponse": true }),
        )
        .with_name("order.xlsx")
        .into_zip_container()
        .with_policy(Rename)
        .with_existing_file()
        .expect_files(2)
        .expect_rewritten(),
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
        .with_name("order.pptx")
        .into_zip_container()
        .expect_rewritten(),
        large(
            "F14",
            "last: a container is rewritten, content 403",
            json!([
                { "operation": "lastFragment", "rewrite": true },
                { "operation": "getContent", "status": 403, "count": 0 },
            ]),
        )
        .with_name("order.docx")
        .into_zip_container()
        .expect_failure(DestinationRewritten, LARGE_SIZE as i64)
        .expect_files(1),
        large("F14", "last: 201 with another size", last_fragment_rule("rewrite", json!(true)))
            .expect_failure(VerificationFailed, LARGE_SIZE as i64)
            .expect_files(1),
        large("F14", "last: 201 with another hash", last_fragment_rule("corruptHash", json!(true)))
            .expect_failure(VerificationFailed, LARGE_SIZE as i64)
            .expect_files(1),
    ]
}
