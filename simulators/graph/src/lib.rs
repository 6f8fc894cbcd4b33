//! A strict Microsoft Graph: tokens, users, drives, upload sessions.
//!
//! Written from the contract and from nothing else: it shares no code with our
//! client, so that a mistake there cannot hide here. What it cannot do it refuses.
//!
//! ```no_run
//! # async fn example() -> Result<(), docferry_sim_graph::StartError> {
//! let config = docferry_sim_graph::Config {
//!     users: vec!["ada@example.org".to_owned()],
//!     ..Default::default()
//! };
//! let graph = docferry_sim_graph::start(config).await?;
//! println!("{} {}", graph.url(), graph.admin_url());
//! graph.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod address;
mod admin;
mod content;
mod drive;
mod error;
mod fragment;
mod hash;
mod items;
mod names;
mod range;
mod render;
mod rewriting;
mod service;
mod session;
mod simple;
mod token;
mod upload;
mod world;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit};

pub use hash::QuickXorHash;
pub use sim_kit::{Running, StartError};

use world::World;

/// How a simulated Graph is set up.
#[derive(Clone)]
pub struct Config {
    /// The port on 127.0.0.1; 0 = a free one.
    pub port: u16,
    /// Where received bytes are kept; none = a temporary directory.
    pub data_dir: Option<PathBuf>,
    /// The directory tenant of the token endpoint.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: String,
    /// How long a token lives.
    pub token_lifetime: Duration,
    /// How long an idle upload session lives.
    pub session_lifetime: Duration,
    /// UPNs of users, each with a drive.
    pub users: Vec<String>,
    /// Upload URLs contain a `'`, as the real ones do. A WHATWG URL parser rewrites
    /// it to `%27`, and such a client then gets 401.
    pub quote_in_upload_urls: bool,
    /// Received bytes are counted and hashed (quickXorHash alone) and then let go:
    /// for benches, which would measure a disk and SHA-256 otherwise.
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

/// Without the secret.
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

/// Starts a simulated Graph in the current tokio runtime.
///
/// It stops, and its temporary directory goes, when the handle is dropped. Files in
/// a `data_dir` of one's own are removed as the documents are.
///
/// # Errors
/// When the port or the data directory cannot be had.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let (dir, scratch) = sim_kit::data_dir(config.data_dir.clone())?;
    let port = config.port;
    sim_kit::serve(port, scratch, |url| {
        let world = Arc::new(World::new(config, url.to_owned(), dir));
        let admin = sim_kit::admin_routes(Arc::clone(&world.stage))
            .merge(admin::routes(Arc::clone(&world)));
        Router::new()
            .nest("/_admin", admin)
            .fallback(move |request| service::dispatch(Arc::clone(&world), request))
            .layer(DefaultBodyLimit::disable())
    })
    .await
}
