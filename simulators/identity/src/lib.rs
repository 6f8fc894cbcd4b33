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

mod admin;
mod authorize;
mod discovery;
mod keys;
mod mint;
mod refusal;
mod token;
mod world;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};

pub use keys::Algorithm;
pub use sim_kit::{Running, StartError};
pub use world::{Client, Rights, User};

use world::World;

/// Configuration of a simulated provider.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port on 127.0.0.1; 0 selects a free one.
    pub port: u16,
    /// Audience of access tokens.
    pub audience: String,
    /// Lifetime of tokens.
    pub token_lifetime: Duration,
    /// Signature algorithm of tokens.
    pub algorithm: Algorithm,
    /// Clients that exist at the start.
    pub clients: Vec<Client>,
    /// Users that exist at the start.
    pub users: Vec<User>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            audience: "docferry".to_owned(),
            token_lifetime: Duration::from_secs(300),
            algorithm: Algorithm::Rs256,
            clients: Vec::new(),
            users: Vec::new(),
        }
    }
}

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
