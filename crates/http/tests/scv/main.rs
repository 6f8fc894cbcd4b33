//! Tests of the calls of the viewer (SCV), the application from which users send documents: upload,
//! status, terminate and ping.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod authorization;
#[path = "../common/mod.rs"]
mod common;
mod requests;
mod responses;
