//! Construction of the adapters and settings of the Lambda functions from environment variables.
//!
//! Each function calls the methods of [`Wiring`] that it needs. Every environment variable is read
//! in one place, so that all functions use the same name and the same default.

#[cfg(feature = "store")]
mod adapters;
#[cfg(feature = "http")]
mod api;
#[cfg(feature = "delivery")]
mod buckets;
#[cfg(feature = "exchange")]
mod exchange;
#[cfg(feature = "graph")]
mod graph;
#[cfg(feature = "ords")]
mod ords;
#[cfg(any(feature = "queue", feature = "workflow"))]
mod queues;
#[cfg(any(feature = "secrets", feature = "sealer"))]
mod secrets;
mod settings;
#[cfg(feature = "store")]
mod tables;
#[cfg(feature = "webhook")]
mod webhook;
mod wiring;

#[cfg(feature = "store")]
pub use adapters::Production;
#[cfg(feature = "exchange")]
pub use exchange::ExchangeSettings;
#[cfg(feature = "graph")]
pub use graph::{Graph, GraphCredentials};
#[cfg(feature = "ords")]
pub use ords::OrdsSecret;
#[cfg(feature = "webhook")]
pub use webhook::WebhookSecret;
pub use wiring::Wiring;
