//! Simulator of an OpenID provider: discovery, keys, and tokens by client credentials or by an
//! authorization code with PKCE.
//!
//! It is written from the standards alone. It shares no code with our authorizer, not even the
//! library that verifies tokens there, so that a mistake in the authorizer cannot be repeated here.
//!
//! ```no_run
//! # async fn example() -> Result<(), docferry_sim_identity::StartError> {
//! let provider = docferry_sim_identity::start(docferry_sim_identity::Config::default()).await?;
//! println!("{} {}", provider.url(), provider.admin_url());
//! provider.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod account;
mod admin;
mod authorize;
mod config;
mod discovery;
mod keys;
mod mint;
mod refusal;
mod token;
mod world;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

pub use account::{Client, Rights, User};
pub use config::Config;
pub use keys::Algorithm;
pub use sim_kit::{Running, StartError};

use world::World;

/// Starts a simulated provider in the current tokio runtime. Its URL is its issuer.
///
/// It stops when the handle is dropped.
///
/// # Errors
/// Returns an error when the port cannot be bound or a key cannot be generated.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let port = config.port;
    let world = World::new(config)
        .map_err(|_| StartError::Config("the signing keys could not be generated".into()))?;
    let world = Arc::new(world);
    sim_kit::serve(port, None, |url| {
        world.set_issuer(url);
        let admin = sim_kit::admin_routes(Arc::clone(&world.stage))
            .merge(admin::routes(Arc::clone(&world)));
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery::document))
            .route("/jwks", get(discovery::jwks))
            .route("/authorize", get(authorize::authorize))
            .route("/token", post(token::issue))
            .with_state(world)
            .nest("/_admin", admin)
    })
    .await
}
