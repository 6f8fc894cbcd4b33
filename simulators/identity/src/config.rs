//! Configuration of the OpenID Connect provider simulator.

use std::time::Duration;

use crate::{
    account::{Client, User},
    keys::Algorithm,
};

/// Configuration of a simulated provider.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port on 127.0.0.1; 0 selects a free one.
    pub port: u16,
    /// Audience of access tokens.
    pub audience: String,
    /// Lifetime of tokens.
    pub token_lifetime: Duration,
    /// Signature algorithm of tokens.
    pub algorithm: Algorithm,
    /// Clients that exist at the start.
    pub clients: Vec<Client>,
    /// Users that exist at the start.
    pub users: Vec<User>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            audience: "docferry".to_owned(),
            token_lifetime: Duration::from_secs(300),
            algorithm: Algorithm::Rs256,
            clients: Vec::new(),
            users: Vec::new(),
        }
    }
}
