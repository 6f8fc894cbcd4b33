//! Tests of the provider over HTTP. Tokens are verified with an independent library.

#![allow(clippy::unwrap_used, reason = "tests")]

mod administration;
mod bench;
mod grants;
