//! Records that this version and earlier versions have stored, read by this version.
//!
//! `tests/fixtures` holds them; its README says which version wrote them and how.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod carry_on;
mod check;
mod fixtures;
mod read;
mod table;
mod values;
mod write;
mod write_batches;
mod write_downloads;
mod write_onedrive;
