//! Registry records and the NDJSON files that carry them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod fields;
mod lines;
mod record;
mod support;
