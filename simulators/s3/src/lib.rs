//! Simulator of S3 with multipart uploads, and with generated objects of any size.
//!
//! The admin interface adds generated objects. Such an object is a size and a seed, and its content
//! repeats a pseudo-random block of 4 MB, so that memory and CPU time do not grow with the object
//! and a benchmark measures its clients. Clients read, list, put and delete objects, and assemble
//! objects from uploaded and copied parts. Copied parts share their bytes with the source.
//!
//! ```no_run
//! # async fn example() -> Result<(), docferry_sim_s3::StartError> {
//! let s3 = docferry_sim_s3::start(docferry_sim_s3::Config::default()).await?;
//! println!("{} {}", s3.url(), s3.admin_url());
//! s3.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod admin;
mod checksum;
mod chunked;
mod config;
mod content;
mod error;
mod input;
mod list;
mod multipart;
mod object;
mod operation;
mod payload;
mod put;
mod query;
mod range;
mod serve;
mod service;
mod traffic;
mod world;
mod xml;

use std::sync::Arc;

use axum::Router;

pub use config::Config;
pub use sim_kit::{Running, StartError};

use world::World;

/// Starts a simulated S3 in the current tokio runtime. It stops when the handle is dropped.
///
/// # Errors
/// Returns an error when the port cannot be bound.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let port = config.port;
    sim_kit::serve(port, None, |_url| {
        let world = Arc::new(World::new(config));
        let admin = sim_kit::admin_routes(Arc::clone(&world.stage))
            .merge(admin::routes(Arc::clone(&world)));
        Router::new()
            .nest("/_admin", admin)
            .fallback(move |request| service::dispatch(Arc::clone(&world), request))
    })
    .await
}
