//! The complete service on a local cloud: settings, start-up, addresses and credentials.

mod addresses;
mod settings;
mod up;

pub(crate) use addresses::{Service, Stack};
pub(crate) use settings::{Secrets, Settings, secret_values_by_name};
pub(crate) use up::{Folder, Up, Written, up};
