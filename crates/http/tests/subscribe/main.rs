//! Event streams of jobs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod connection;
mod events;
mod support;
