//! Wire types: the JSON of the APIs, of the workflow's steps, of the audit queue and of
//! webhooks.
//!
//! Names in JSON are contracts with other systems and must not change.

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
