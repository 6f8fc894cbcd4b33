//! Whoever a caller named as a [`Receiver`](docferry_app::ports::Receiver): told by a POST
//! that is signed as Standard Webhooks 1.0 has it.
//!
//! The URL is somebody else's choice and may be meant to harm. Which addresses may be
//! called is one rule of the domain, [`CallbackRule`](docferry_domain::CallbackRule);
//! here it is kept when a connection is made: for addresses in a URL, and for each one
//! that a name leads to at that moment. Redirects are not followed, no proxy of the
//! environment is used, and of an answer only status and `Retry-After` are read.
//!
//! No URL, host or answer leaves this crate: not in an error, not in a log.

mod guard;
mod receiver;
mod signature;

pub use guard::{Guard, SystemResolver};
pub use receiver::{HttpReceiver, ReceiverSettings, SetupError};
pub use signature::{SecretProvider, SigningSecrets};
