//! Microsoft Graph as a [`Drive`](docferry_app::ports::Drive): documents go into
//! a person's OneDrive through upload sessions.
//!
//! Two HTTP clients, because two kinds of server are spoken to:
//!
//! * Graph itself and the token endpoint, with a bearer token (`calls`);
//! * the upload URLs, which carry their own credential and answer 401 to any
//!   other (`upload`). These URLs must be replayed byte for byte, and every URL
//!   parser of the WHATWG family rewrites `'` in a query to `%27`, so this client
//!   stands on hyper, which sends a request target as it was given.
//!
//! Neither follows redirects, keeps cookies or uses a proxy of the environment.
//! Statuses become [`DriveError`](docferry_app::ports::DriveError)s in one
//! function (`failure::classify`). No error of this crate holds a URL, an
//! address, a name or a token.

mod answer;
mod body;
mod calls;
mod content;
mod drive;
mod failure;
mod hosts;
mod path;
mod settings;
mod token;
mod upload;
mod wire;

pub use drive::GraphDrive;
pub use settings::{GraphSettings, SetupError};
pub use token::ClientCredentials;
