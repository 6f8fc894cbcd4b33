//! Wire types: what callers, the state machine and the functions say to each other.

pub mod audit;
pub mod download;
pub mod events;
mod fields;
pub mod health;
pub mod job;
pub mod problem;
pub mod scope;
pub mod scv;
pub mod task;
pub mod webhook;
