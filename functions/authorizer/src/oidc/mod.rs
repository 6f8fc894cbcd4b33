//! Validation of bearer tokens: JSON Web Tokens that one OpenID Connect issuer has signed. [`Issuer`]
//! verifies tokens with the issuer's keys, which a [`KeyCache`] fetches by a [`KeySource`].

mod cache;
mod claims;
mod coverage;
mod fetch;
mod issuer;
mod keys;
mod settings;

pub use cache::KeyCache;
pub use fetch::{FetchError, HttpKeys, KeySource};
pub use issuer::{Caller, Issuer, Rejection, TokenError};
pub use keys::KeySet;
pub use settings::{OidcSettings, SetupError};
