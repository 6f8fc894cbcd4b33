//! The rules of a transfer as pure functions: no async code, no I/O, no clock and no
//! environment variables.
//!
//! Every result depends on the arguments alone, and the current time is one of them. So the
//! model tests can run thousands of interleavings in a second. The use cases in
//! `crates/app` call these rules and carry out the effects.

pub mod audit;
pub mod callback;
pub mod document;
pub mod failure;
pub mod ids;
pub mod jitter;
pub mod job;
pub mod job_spec;
pub mod person;
pub mod phase;
pub mod settings;
pub mod slots;
pub mod text;
pub mod trace;
pub mod transfer;
pub mod upload;
pub mod zip;
