//! The document source: push requests, and the check for the arrival.

pub mod poll;
pub mod push;
