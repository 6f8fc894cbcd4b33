//! Tests of upload sessions in the Microsoft Graph simulator.

#![allow(clippy::unwrap_used, reason = "tests")]

mod conflicts;
mod fragments;
mod lifetime;
#[path = "../support/mod.rs"]
mod support;
