//! `GET /ping`, which asks the document source (ORDS) for its health and returns the text of the
//! response.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use docferry_app::ports::DocumentSource;

use crate::error::ApiError;
use crate::middleware::{Service, with_common_parts};

/// Router of `GET /ping`.
pub fn ping_router<D: DocumentSource + 'static>(source: D) -> Router {
    let routes = Router::new().route("/ping", get(ping::<D>)).with_state(Arc::new(source));
    with_common_parts(routes)
}

async fn ping<D: DocumentSource>(
    State(source): State<Arc<D>>,
    _caller: Service,
) -> Result<String, ApiError> {
    // The contract with the viewer (SCV) requires the status 500 for every failure, even a
    // transient one.
    source.ping().await.map_err(|error| ApiError::Broken(error.into()))
}
