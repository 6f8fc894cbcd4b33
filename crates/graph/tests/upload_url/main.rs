//! Tests of the client for upload URLs: the exact bytes sent, and the handling of each response.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod encoding;
mod failures;
mod responses;
#[path = "../support/mod.rs"]
mod support;
