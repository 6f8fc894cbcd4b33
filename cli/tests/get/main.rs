//! Tests of `docferry get`: which files it creates, resumes and refuses.

#![allow(clippy::unwrap_used, reason = "tests")]

mod download;
mod files;
mod outcomes;
mod resume;
#[path = "../support/mod.rs"]
mod support;
