//! Simulator of the document source. It has three parts: ORDS, which serves the documents, the NFS
//! (intermediate storage) to which ORDS pushes documents, and the mover, which copies files from
//! there to the S3 exchange bucket.
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
mod config;
mod exchange;
mod mover;
mod service;
mod source;
mod world;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, routing::get};
use tokio::sync::mpsc::unbounded_channel;

pub use config::{Config, ExchangeConfig};
pub use sim_kit::{Running, StartError};

use exchange::Exchange;
use world::World;

/// Starts a simulated document source with its mover in the current tokio runtime.
///
/// Dropping the returned handle stops both. Files that are still on the NFS are then never moved.
///
/// # Errors
/// Returns an error when the port cannot be bound or the data directory cannot be used.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let (dir, scratch) = sim_kit::data_dir(config.data_dir.clone())?;
    let port = config.port;
    let exchange = config.exchange.as_ref().map(Exchange::new);
    let (sender, moves) = unbounded_channel();
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
        running.attach(mover::run(mover_world, exchange, moves));
    }
    Ok(running)
}
