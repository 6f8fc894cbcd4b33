//! Strict simulator of Microsoft Graph: tokens, users, drives and upload sessions.
//!
//! The simulator is written from the contract alone and shares no code with docferry's client. So a
//! mistake in the client cannot be repeated here. The simulator rejects requests that it does not
//! support.
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
mod config;
mod content;
mod destination;
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

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit};

pub use config::Config;
pub use hash::QuickXorHash;
pub use sim_kit::{Running, StartError};

use world::World;

/// Starts a simulated Graph in the current tokio runtime.
///
/// The simulator stops when the returned handle is dropped. This also removes its temporary
/// directory. If the configuration has a `data_dir`, each file in it is removed together with its
/// document.
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
