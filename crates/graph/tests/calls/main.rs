//! Tests of the calls to Graph itself: tokens, users, drives, items and sessions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod lookup;
mod mocks;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod token;
