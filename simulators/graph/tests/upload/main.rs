//! Tests of upload sessions against the contract.

#![allow(clippy::unwrap_used, reason = "tests")]

mod conflicts;
mod fragments;
mod lifetime;
#[path = "../support/mod.rs"]
mod support;
