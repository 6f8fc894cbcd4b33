//! Tests of the client for calls of Microsoft Graph itself, against a mock server: access tokens,
//! users, drives, items, and the creation of upload sessions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod lookup;
mod mocks;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod token;
