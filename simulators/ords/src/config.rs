//! Configuration of the document source simulator.

use std::{fmt, path::PathBuf, time::Duration};

/// Configuration of a simulated document source.
#[derive(Clone)]
pub struct Config {
    /// Port on 127.0.0.1; 0 selects a free one.
    pub port: u16,
    /// Directory for uploaded documents; `None` uses a temporary directory.
    pub data_dir: Option<PathBuf>,
    /// User name for HTTP Basic.
    pub user: String,
    /// Password for HTTP Basic.
    pub password: String,
    /// The only accepted application id; `None` accepts any.
    pub application_id: Option<String>,
    /// The only accepted application password; `None` accepts any.
    pub app_password: Option<String>,
    /// Bucket that files are moved to; `None` leaves them on the NFS.
    pub exchange: Option<ExchangeConfig>,
    /// Time that a file stays on the NFS before it is moved.
    pub mover_delay: Duration,
}

/// Configuration of the S3 exchange bucket.
#[derive(Clone)]
pub struct ExchangeConfig {
    /// Endpoint URL; `None` selects AWS.
    pub endpoint: Option<String>,
    /// Region.
    pub region: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Whether the bucket's name is part of the path instead of the host.
    pub path_style: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            data_dir: None,
            user: "simulated-user".to_owned(),
            password: "simulated-password".to_owned(),
            application_id: None,
            app_password: None,
            exchange: None,
            mover_delay: Duration::from_millis(500),
        }
    }
}

/// Omits the passwords and the application id.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("port", &self.port)
            .field("data_dir", &self.data_dir)
            .field("exchange", &self.exchange)
            .field("mover_delay", &self.mover_delay)
            .finish_non_exhaustive()
    }
}

/// Omits the keys.
impl fmt::Debug for ExchangeConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ExchangeConfig")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}
