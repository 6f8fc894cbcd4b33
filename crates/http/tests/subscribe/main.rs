//! Tests of `GET /v1/download/subscribe/{jobId}`, which sends the events of a job (SSE).

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod connection;
mod events;
mod support;
