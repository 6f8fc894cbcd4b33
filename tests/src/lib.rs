//! Shared helpers of docferry's system tests.
//!
//! The tests use the service as its callers and operators do: through the public API, the
//! admin interfaces of the simulators, and the APIs of the cloud. All tests run
//! concurrently against one deployed system. So each test has a [`Sandbox`] with its own
//! document, recipient and folder, and injects faults only for its sandbox.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "only tests use this crate, and a test fails by panicking"
)]

mod api;
mod audit;
mod buckets;
mod checks;
mod cloud;
mod command;
mod executions;
mod feed;
mod functions;
mod identity;
mod jobs;
mod maintenance;
mod processes;
mod registry;
mod sandbox;
mod simulators;
mod stack;
mod wait;

pub use api::{Api, ApiResponse, Status};
pub use audit::{FollowedTrail, find_audit_records, wait_for_audit_records};
pub use cloud::{Cloud, Item};
pub use command::{docferry, json_of_success, program_folder, stdout_of_success};
pub use docferry_domain::failure::FailureCode;
pub use executions::History;
pub use feed::RejectedMessage;
pub use identity::Identity;
pub use jobs::random_file_id;
pub use processes::{kill, processes_of};
pub use registry::subject_document;
pub use sandbox::{MIB, Sandbox};
pub use simulators::{DeliveredFile, Document, Graph, Ords, Request, Session, Simulator};
pub use stack::{Oidc, Stack, stack};
pub use wait::{LONG_TIMEOUT, SHORT_TIMEOUT, eventually};
