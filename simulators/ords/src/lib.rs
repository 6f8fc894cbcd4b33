//! Simulator of the document source: ORDS, the NFS that it pushes to, and the mover that carries
//! files from there to the S3 exchange bucket.
//!
//! It is written from the contract alone and shares no code with our client, so that a mistake in
//! the client cannot be repeated here.
//!
//! ```no_run
//! # async fn example() -> Result<(), docferry_sim_ords::StartError> {
//! let ords = docferry_sim_ords::start(docferry_sim_ords::Config::default()).await?;
//! println!("{} {}", ords.url(), ords.admin_url());
//! ords.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod admin;
mod exchange;
mod mover;
mod service;
mod source;
mod world;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, routing::get};
use tokio::sync::mpsc::unbounded_channel;

pub use sim_kit::{Running, StartError};

use exchange::Exchange;
use world::World;

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

/// Starts a simulated document source with its mover in the current tokio runtime.
///
/// Dropping the handle stops both; files still on the NFS are then never moved.
///
/// # Errors
/// Returns an error when the port cannot be bound or the data directory cannot be used.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let (dir, scratch) = sim_kit::data_dir(config.data_dir.clone())?;
    let port = config.port;
    let exchange = config.exchange.as_ref().map(Exchange::new);
    let (sender, jobs) = unbounded_channel();
    let world = Arc::new(World::new(config, dir, sender));
    let mover_world = Arc::clone(&world);
    let mut running = sim_kit::serve(port, scratch, |_url| {
        let admin = sim_kit::admin_routes(Arc::clone(&world.stage))
            .merge(admin::routes(Arc::clone(&world)));
        Router::new()
            .route("/doc/push-to-server", get(service::push))
            .route("/ping", get(service::ping))
            .with_state(world)
            .nest("/_admin", admin)
            .layer(DefaultBodyLimit::disable())
    })
    .await?;
    if let Some(exchange) = exchange {
        running.attach(mover::run(mover_world, exchange, jobs));
    }
    Ok(running)
}
