//! Valid and invalid tokens of a simulated issuer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod decision;
mod issuer;
mod verification;
