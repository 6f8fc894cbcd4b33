//! Client library of docferry, used by the `docferry` command.
//!
//! [`Client`] calls the public API only. Its wire types are written from the contract and
//! are not shared with any server crate, so a mistake in the service is not repeated in
//! the client. [`watch`] polls transfers and jobs until they end and reports to a
//! [`watch::Observer`]. [`display`] has two observers: progress bars for a terminal and
//! plain lines for a log. [`fetch`] downloads the documents of a job into files.
//!
//! The commands for operators (`docferry admin`, feature `admin`) are not part of the
//! library: they use the AWS resources of the deployment directly, not the public API.

mod auth;
mod client;
pub mod display;
pub mod documents;
mod downloads;
mod error;
pub mod fetch;
mod http;
pub mod job;
mod percentage;
pub mod progress;
mod response;
mod retry;
mod token_source;
pub mod watch;
mod watched;
mod wire;

pub use auth::Credentials;
pub use client::{Client, Polled};
pub use error::ClientError;
pub use token_source::ClientCredentials;
pub use watched::StatusDocument;
pub use wire::{Accepted, NewTransfer, Problem, ProblemItem, TransferState, TransferStatus};
