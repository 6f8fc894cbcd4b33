//! Tests of the authorizer with valid and invalid tokens of a simulated OpenID Connect issuer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod decision;
mod issuer;
mod verification;
