//! The deployed system from outside: tests that may all run at once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, too, say what went wrong by panicking"
)]

mod api;
mod arrival;
mod command;
mod delivery;
mod destination;
mod events;
mod progress;
mod resume;
mod secrecy;
mod sharing;
mod source;
mod terminate;
mod tokens;
