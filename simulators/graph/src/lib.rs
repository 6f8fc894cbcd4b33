//! Strict simulator of Microsoft Graph: tokens, users, drives and upload sessions.
//!
//! It is written from the contract alone and shares no code with our client, so that a mistake in
//! the client cannot be repeated here. It rejects requests that it does not support.
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
mod place;
mod query;
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

/// Starts a simulated Graph in the current tokio runtime.
///
/// Dropping the handle stops it and removes its temporary directory. Files in a given `data_dir`
/// are removed together with their documents.
///
/// # Errors
/// Returns an error when the port cannot be bound or the data directory cannot be used.
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
