//! Tests of `docferry admin`, with which operators inspect and restart transfers. They run the real
//! binary against a mock of DynamoDB, Step Functions and CloudFormation. (The system tests run it
//! against an emulator of AWS.)

#![cfg(feature = "admin")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod aws;
mod errors;
mod inspect;
#[path = "../support/mod.rs"]
mod support;
