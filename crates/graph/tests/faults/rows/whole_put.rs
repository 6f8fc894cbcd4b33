//! Rows of the fault table for small documents, which are uploaded in one request without a
//! session.

use docferry_app::ports::ConflictPolicy::{Fail, Rename};
use docferry_domain::failure::FailureCode::*;
use serde_json::{Value, json};

use super::rules::always_locked;
use crate::bench::RETRIES;
use crate::row::{Row, SMALL_SIZE, row, small};

/// Rows for documents that are uploaded in one request.
pub(super) fn whole_put() -> Vec<Row> {
    let put = |field: &str, value: Value| json!({ "operation": "simplePut", field: value });
    let stored_500 = json!({ "operation": "simplePut", "status": 500, "storeFraction": 1 });
    let size = SMALL_SIZE as i64;
    vec![
        small("F11", "PUT: stored, response lost", put("dropResponse", json!(true))),
        small("F11", "PUT: stored, response lost, rename", put("dropResponse", json!(true)))
            .with_policy(Rename),
        small("F11", "PUT: stored, 500", stored_500),
        small("F11", "PUT: 500", put("status", json!(500))).expect_resent_bytes(size),
        small("F11", "PUT: 201 without an item", put("noItem", json!(true))),
        small("F11", "PUT: 201 without a hash", put("noHash", json!(true))),
        small("F12", "PUT: name taken, rename", json!([]))
            .with_policy(Rename)
            .with_existing_file()
            .expect_resent_bytes(size)
            .expect_files(2),
        small("F12", "PUT: name taken, fail", json!([]))
            .with_policy(Fail)
            .with_existing_file()
            .expect_failure(DestinationConflict, size)
            .expect_files(1),
        small("F12", "PUT: 423", put("status", json!(423))).expect_resent_bytes(size),
        small("F12", "PUT: 423 always", always_locked("simplePut"))
            .expect_failure(DestinationLocked, (1 + i64::from(RETRIES)) * size),
        small("F12", "PUT: 507", put("status", json!(507))).expect_failure(QuotaExceeded, size),
        small("F14", "PUT: an Office file is rewritten", put("rewrite", json!(true)))
            .with_name("order.docx")
            .expect_rewritten(),
        small(
            "F14",
            "PUT: a container is rewritten, response lost",
            json!({ "operation": "simplePut", "rewrite": true, "dropResponse": true }),
        )
        .with_name("order.docx")
        .into_zip_container()
        .expect_rewritten(),
        small("F14", "PUT: 201 with another size", put("rewrite", json!(true)))
            .expect_failure(VerificationFailed, size)
            .expect_files(1),
        small("F14", "PUT: 201 with another hash", put("corruptHash", json!(true)))
            .expect_failure(VerificationFailed, size)
            .expect_files(1),
        row("F11", "PUT of an empty document: response lost", 0, put("dropResponse", json!(true))),
    ]
}
