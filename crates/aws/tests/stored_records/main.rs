//! Tests that this version of docferry can read and use the records that earlier versions have
//! stored in DynamoDB.
//!
//! The folder `tests/fixtures` holds such records. Its README says which version wrote them and
//! how. The modules `write…` write the records of this version, `read` and `check` read the records
//! of all versions, and `carry_on` continues the work that the records describe.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod carry_on;
mod check;
mod fixtures;
mod read;
mod table;
mod values;
mod write;
mod write_batches;
mod write_downloads;
mod write_onedrive;
