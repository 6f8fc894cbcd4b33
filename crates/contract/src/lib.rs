//! Types of the JSON that docferry exchanges with other systems: the APIs, the workflow's steps,
//! the audit queue and webhooks.
//!
//! Other systems depend on the JSON names, so they must not change.

pub mod audit;
mod documents;
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
