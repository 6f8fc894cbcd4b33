//! ORDS adapter: implements [`DocumentSource`](docferry_app::ports::DocumentSource).
//!
//! This crate asks ORDS, the REST service in front of the object store, to push a document: to
//! write it to intermediate storage. The mover, a process outside docferry, copies it from there to
//! the exchange bucket.
//!
//! The query of every push contains the application's password. Therefore no URL leaves this
//! crate in an error or a log, redirects are not followed, and no proxy from the environment is
//! used. One function (`response::parse_response`) translates responses to errors.

mod credentials;
mod response;
mod settings;
mod source;

pub use credentials::OrdsCredentials;
pub use settings::{OrdsSettings, SetupError};
pub use source::OrdsSource;
