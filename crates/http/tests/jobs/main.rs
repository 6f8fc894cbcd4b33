//! Tests of jobs of the downloads API: idempotent requests, retries, lists, and drain mode.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod drain;
mod history;
mod idempotency;
mod retry;
mod support;
