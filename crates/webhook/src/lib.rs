//! Webhook adapter: implements [`WebhookReceiver`](docferry_app::ports::WebhookReceiver) and
//! delivers notifications by POST, signed according to Standard Webhooks 1.0.
//!
//! The caller of docferry chooses the URL, so it may be malicious (server-side request forgery).
//! A rule of the domain, [`CallbackRule`](docferry_domain::callback::CallbackRule), says which
//! addresses may be called. This crate applies the rule when it connects: to an address in the URL,
//! and to each address to which the host name resolves at that moment. The crate follows no
//! redirects, uses no proxy from the environment, and reads only the status and `Retry-After` of a
//! response.
//!
//! No URL, host or response leaves this crate in an error or a log.

mod guard;
mod receiver;
mod signature;

pub use guard::{Guard, SystemResolver};
pub use receiver::{HttpWebhookReceiver, ReceiverSettings, SetupError};
pub use signature::{SecretProvider, SigningSecrets};
