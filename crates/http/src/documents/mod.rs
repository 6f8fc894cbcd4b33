//! FHIR R4 routes: search for documents, one document and its content, and the capability
//! statement. All responses are `application/fhir+json`; errors are `OperationOutcome`s.

mod api;
mod content;
mod failure;
mod parameters;
mod public_url;
mod read;
mod search;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use docferry_app::ports::SearchAdapters;

pub use api::SearchApi;
pub use public_url::PublicUrl;

use crate::middleware::with_common_parts;

/// Router of `GET /DocumentReference`, `POST /DocumentReference/_search`,
/// `GET /DocumentReference/{id}`, `GET /DocumentReference/{id}/$content` and `GET /metadata`.
pub fn search_router<P: SearchAdapters>(api: SearchApi<P>) -> Router {
    let routes = Router::new()
        .route("/DocumentReference", get(search::by_query_string::<P>))
        .route("/DocumentReference/_search", post(search::by_form::<P>))
        .route("/DocumentReference/{id}", get(read::document::<P>))
        // The operation is `$content`. It is a parameter here, because API Gateway does not allow
        // `$` in a path and clients may write it as `%24`.
        .route("/DocumentReference/{id}/{operation}", get(content::content::<P>))
        .route("/metadata", get(read::metadata::<P>))
        .with_state(Arc::new(api));
    with_common_parts(routes)
}
