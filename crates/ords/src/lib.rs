//! ORDS as a [`DocumentSource`](docferry_app::ports::DocumentSource): it is asked
//! to write a document to the storage from which the mover brings it to us.
//!
//! The application's password stands in the query of every push, so no URL
//! leaves this crate: not in an error, not in a log. Redirects are not followed
//! and no proxy of the environment is used, so it goes to nobody else either.
//! Answers become errors in one function (`answer::judge`).

mod answer;
mod credentials;
mod settings;
mod source;

pub use credentials::OrdsCredentials;
pub use settings::{OrdsSettings, SetupError};
pub use source::OrdsSource;
