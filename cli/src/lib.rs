//! The client side of docferry: the library behind the `docferry` command.
//!
//! [`Client`] speaks the public API and nothing else: its wire types are written
//! from the contract and shared with no server crate, so that a mistake in the
//! service cannot hide in its client. [`watch`] follows transfers and jobs to their end
//! and reports to an [`watch::Observer`]; [`display`] holds two of those, live
//! bars for a terminal and plain lines for a log. [`fetch`] brings what a job has
//! delivered into a file.
//!
//! The command's part for operators (`docferry admin`, feature `admin`) is no part
//! of the library: it goes past the public API, to what the service runs on.

mod auth;
mod client;
pub mod display;
mod downloads;
mod error;
pub mod fetch;
pub mod job;
pub mod progress;
pub mod watch;
mod watched;
mod wire;

pub use auth::{ClientCredentials, Credentials};
pub use client::{Client, Polled};
pub use error::ClientError;
pub use watched::Watched;
pub use wire::{Accepted, NewTransfer, Problem, ProblemItem, TransferState, TransferStatus};
