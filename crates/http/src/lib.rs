//! HTTP API of docferry. There is one axum router for each Lambda function. The crate also contains
//! the parsing of requests, problem documents (RFC 9457), rate limits and response headers.
//!
//! The routers do not depend on Lambda. The code that serves a router puts the caller's
//! [`Principal`] into the request's extensions.

mod api;
mod audit;
mod body;
mod body_limit;
mod control;
mod documents;
mod download;
mod error;
mod health;
mod initiate;
mod job_id;
mod json;
mod layers;
mod middleware;
mod outcome;
mod ping;
mod problem;
mod status;

pub use api::TransferApi;
pub use audit::GatewayContext;
pub use body_limit::BodyLimit;
pub use control::control_router;
pub use docferry_fhir::{InvalidBaseUrl, PageKey};
pub use documents::{PublicUrl, SearchApi, search_router};
pub use download::{
    DownloadApi, FileRange, JobApi, StreamMode, TimeLeft, download_router, subscribe_router,
};
pub use error::ApiError;
pub use http::HeaderValue;
pub use initiate::initiate_router;
pub use layers::{ApiLayers, RateLimits};
pub use middleware::{Principal, RequestId};
pub use ping::ping_router;
pub use status::status_router;
