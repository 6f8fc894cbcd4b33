//! Microsoft Graph adapter: implements [`Drive`](docferry_app::ports::Drive) and uploads
//! documents into a person's OneDrive through upload sessions.
//!
//! There are two HTTP clients, for two kinds of server:
//!
//! * `calls` is for Graph itself and the token endpoint, with a bearer token.
//! * `upload` is for upload URLs. They contain their own credential, and the service responds
//!   with 401 to any other. They must be replayed byte for byte, but every WHATWG URL parser
//!   rewrites `'` in a query to `%27`. So this client uses hyper, which sends a request target
//!   unchanged.
//!
//! Neither client follows redirects, stores cookies or uses a proxy from the environment.
//! One function (`failure::classify`) translates HTTP statuses to
//! [`DriveError`](docferry_app::ports::DriveError)s. No error of this crate contains a URL, an
//! address, a name or a token.

mod body;
mod calls;
mod client;
mod content;
mod drive;
mod error_code;
mod failure;
mod hosts;
mod parse;
mod path;
mod response;
mod settings;
mod token;
mod upload;
mod wire;

pub use client::GraphDrive;
pub use settings::{GraphSettings, SetupError};
pub use token::ClientCredentials;
