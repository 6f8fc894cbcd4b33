//! Who is calling: HTTP Basic for the court viewer's service account, bearer
//! tokens of an OpenID Connect issuer for everybody else.
//!
//! Wrong or missing credentials end in an error whose text is exactly
//! `Unauthorized`, which API Gateway turns into a 401; nothing else may fail
//! with that text.

mod account;
mod basic;
mod bearer;
mod decision;
pub mod oidc;

pub use account::{Account, Accounts, SecretAccounts};
pub use basic::Credentials;
pub use bearer::bearer;
pub use decision::{Reason, Refusal, decide};

/// The principal of the service account, as records and policies name it.
pub const SERVICE_PRINCIPAL: &str = "scv";
