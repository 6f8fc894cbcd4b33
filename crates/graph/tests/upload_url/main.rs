//! Tests of the client for upload URLs of Microsoft Graph, against a local TCP server. They check
//! the exact bytes that the client sends, and how it handles responses and failures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod encoding;
mod failures;
mod responses;
#[path = "../support/mod.rs"]
mod support;
