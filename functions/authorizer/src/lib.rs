//! Who is calling: HTTP Basic for the court viewer's service account.
//!
//! Wrong or missing credentials end in an error whose text is exactly
//! `Unauthorized`, which API Gateway turns into a 401; nothing else may fail
//! with that text.

mod account;
mod basic;
mod decision;

pub use account::{Account, Accounts, SecretAccounts};
pub use basic::Credentials;
pub use decision::{Refusal, decide};

/// The principal of the service account, as records and policies name it.
pub const SERVICE_PRINCIPAL: &str = "scv";
