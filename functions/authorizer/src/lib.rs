//! Authentication of API callers, as a Lambda authorizer of API Gateway: HTTP Basic for the court
//! viewer's service account, bearer tokens of an OpenID Connect issuer for all other callers.
//!
//! API Gateway calls [`decide`] for each request, unless it has a cached decision. Wrong or missing
//! credentials cause an error with the exact text `Unauthorized`, which API Gateway converts to a
//! 401. No other error may have that text.

mod account;
mod basic;
mod bearer;
mod decision;
pub mod oidc;

pub use account::{Account, Accounts, SERVICE_PRINCIPAL, SecretAccounts};
pub use basic::Credentials;
pub use bearer::bearer;
pub use decision::{CredentialProblem, Refusal, decide};
