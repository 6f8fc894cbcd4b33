//! Tests of `docferry get`, which downloads documents: file names, partial files and outcomes.

#![allow(clippy::unwrap_used, reason = "tests")]

mod download;
mod files;
mod outcomes;
mod resume;
#[path = "../support/mod.rs"]
mod support;
