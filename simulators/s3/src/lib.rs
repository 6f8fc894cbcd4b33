//! An S3 that serves ranges of made-up objects, however large.
//!
//! An object is a size and a seed: its bytes are made up from 4 MB that repeat, so
//! that neither memory nor processor grow with it and a bench measures its clients.
//! Clients read and delete; objects are put by the admin interface alone.
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
mod error;
mod list;
mod object;
mod range;
mod serve;
mod service;
mod world;

use std::{fmt, sync::Arc};

use axum::Router;

pub use sim_kit::{Running, StartError};

use world::World;

/// How a simulated S3 is set up.
#[derive(Clone)]
pub struct Config {
    /// The port on 127.0.0.1; 0 = a free one.
    pub port: u16,
    /// The one bucket there is.
    pub bucket: String,
    /// The key that requests must be signed with. Signatures are not checked.
    pub access_key: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            bucket: "simulated-bucket".to_owned(),
            access_key: "simulated-key".to_owned(),
        }
    }
}

/// Without the key.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("port", &self.port)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// Starts a simulated S3 in the current tokio runtime. It stops when the handle
/// is dropped.
///
/// # Errors
/// When the port cannot be had.
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
