//! Tests of the downloads API: creating jobs, reading their status, fetching their files and
//! canceling them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod authorization;
mod batch;
#[path = "../common/mod.rs"]
mod common;
mod fetch;
mod guids;
mod initiate;
mod status;
