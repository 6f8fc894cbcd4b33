//! Configuration of a simulated Graph.

use std::{fmt, path::PathBuf, time::Duration};

/// Configuration of a simulated Graph.
#[derive(Clone)]
pub struct Config {
    /// Port on 127.0.0.1; 0 selects a free one.
    pub port: u16,
    /// Directory for received bytes; `None` uses a temporary directory.
    pub data_dir: Option<PathBuf>,
    /// Directory tenant of the token endpoint.
    pub tenant: String,
    /// Application id.
    pub client_id: String,
    /// Application secret.
    pub client_secret: String,
    /// Lifetime of an access token.
    pub token_lifetime: Duration,
    /// Lifetime of an idle upload session.
    pub session_lifetime: Duration,
    /// UPNs of users, each with a drive.
    pub users: Vec<String>,
    /// Whether upload URLs contain a `'`, as the real ones do. A WHATWG URL parser rewrites it to
    /// `%27`, and a client that uses one then gets 401.
    pub quote_in_upload_urls: bool,
    /// Whether received bytes are only counted and hashed (quickXorHash alone) and not stored. For
    /// benchmarks, which would otherwise measure the disk and SHA-256.
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

/// Omits the application secret.
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
