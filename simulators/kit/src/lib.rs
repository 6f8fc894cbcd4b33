//! Shared parts of the simulators of outside systems: an HTTP server that can break connections,
//! scripted faults, bandwidth limits, a request log, and the admin interface that controls them.
//!
//! A *fault rule* makes chosen requests fail. A rule and a bandwidth limit select requests by their
//! operation and their *subject*, which is the object that a request concerns, such as a user and
//! path.
//!
//! This crate knows nothing of Graph or ORDS and depends on no docferry crate. Each simulator is
//! written from its contract, so that a mistake in a client cannot be repeated in its simulator.

mod admin;
mod clock;
mod command;
mod faults;
mod log;
mod reply;
mod rule;
mod serve;
mod shape;
mod stage;

pub use admin::admin_routes;
pub use clock::now;
pub use command::run_until_stopped;
pub use faults::Faults;
pub use log::{Entry, RequestLog};
pub use reply::{break_connection, json, refuse, text};
pub use rule::{RetryAfter, Rule, part_of};
pub use serve::{Running, StartError, data_dir, serve};
pub use shape::{Line, Shape, Shaper};
pub use stage::{Call, ErrorBody, Stage, apply_rule};
