//! An OpenID provider: discovery, keys, and tokens by client credentials or by an
//! authorization code with PKCE.
//!
//! Written from the standards and from nothing else: it shares no code with our
//! authorizer, not even the library that reads tokens there, so that a mistake
//! there cannot hide here.
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

/// How a simulated provider is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// The port on 127.0.0.1; 0 = a free one.
    pub port: u16,
    /// Whom access tokens are made for.
    pub audience: String,
    /// How long tokens live.
    pub token_lifetime: Duration,
    /// What tokens are signed by.
    pub algorithm: Algorithm,
    /// Who may ask for tokens from the start.
    pub clients: Vec<Client>,
    /// Who can sign in from the start.
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
/// When the port cannot be had, or no key could be made.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let port = config.port;
    let world =
        World::new(config).map_err(|_| StartError::Config("no key could be made".into()))?;
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
