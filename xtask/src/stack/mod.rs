//! A local stack: the complete service on the AWS emulator, with simulators of the other services.
//!
//! The demo and the system tests start one.

mod addresses;
mod settings;
mod up;

pub(crate) use addresses::{Exchange, Service, Stack};
pub(crate) use settings::{Secrets, Settings, secret_values_by_name};
pub(crate) use up::{FileGuard, Folder, RunningStack, up};
