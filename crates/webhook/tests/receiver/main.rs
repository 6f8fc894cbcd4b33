//! Tests of the webhook client against local HTTP servers, and with host names that resolve to
//! addresses that must not be called.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod addresses;
mod delivery;
mod support;
