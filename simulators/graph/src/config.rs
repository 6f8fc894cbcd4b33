//! Configuration of the Microsoft Graph simulator.

use std::{fmt, path::PathBuf, time::Duration};

/// Configuration of the Microsoft Graph simulator.
#[derive(Clone)]
pub struct Config {
    /// Port on 127.0.0.1. 0 selects a free port.
    pub port: u16,
    /// Directory for received bytes. `None` selects a temporary directory.
    pub data_dir: Option<PathBuf>,
    /// Directory tenant of the token endpoint.
    pub tenant: String,
    /// Application id.
    pub client_id: String,
    /// Application secret.
    pub client_secret: String,
    /// Lifetime of an access token.
    pub token_lifetime: Duration,
    /// Time without activity after which an upload session expires.
    pub session_lifetime: Duration,
    /// User principal names (UPNs) of the users. Each user has a drive.
    pub users: Vec<String>,
    /// Whether upload URLs contain the character `'`, as those of the real service do. A URL parser
    /// by the WHATWG standard rewrites this character to `%27`, so a client with such a parser gets
    /// 401.
    pub quote_in_upload_urls: bool,
    /// Whether received bytes are not stored, but only counted and hashed with quickXorHash.
    /// Benchmarks set this option, because they should measure neither the disk nor SHA-256.
    pub forget_bytes: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            data_dir: None,
            tenant: "simulated-tenant".to_owned(),
            client_id: "simulated-client".to_owned(),
            client_secret: "simulated-secret".to_owned(),
            token_lifetime: Duration::from_secs(3600),
            session_lifetime: Duration::from_mins(15),
            users: Vec::new(),
            quote_in_upload_urls: true,
            forget_bytes: false,
        }
    }
}

// Omits the application secret.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("port", &self.port)
            .field("data_dir", &self.data_dir)
            .field("tenant", &self.tenant)
            .field("users", &self.users)
            .finish_non_exhaustive()
    }
}
