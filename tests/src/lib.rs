//! What the system tests share.
//!
//! They know the service as its callers and operators do: the public API, the
//! simulators' admin interfaces, and the interfaces of the cloud that it runs on.
//! All tests use one deployed system at once, so each has a [`Sandbox`] with a
//! document, recipient and folder of its own, and disturbs only what is its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "only tests call this, and a test says what went wrong by panicking"
)]

mod api;
mod cloud;
mod command;
mod identity;
mod processes;
mod sandbox;
mod simulators;
mod stack;
mod upkeep;
mod wait;

pub use api::{Answer, Api, Status};
pub use cloud::{Cloud, History, Item};
pub use command::{docferry, printed, printed_json, programs};
pub use docferry_domain::FailureCode;
pub use identity::Identity;
pub use processes::{kill, processes_of};
pub use sandbox::{MIB, Sandbox};
pub use simulators::{Delivered, Document, Graph, Ords, Request, Session, Simulator};
pub use stack::{Oidc, Stack, stack};
pub use wait::{LONG, SHORT, eventually};
