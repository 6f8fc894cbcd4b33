//! Tests of `docferry admin` against a mock of DynamoDB, Step Functions and CloudFormation.
//! The system tests run the command against the emulator.

#![cfg(feature = "admin")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod aws;
mod errors;
mod inspect;
#[path = "../support/mod.rs"]
mod support;
