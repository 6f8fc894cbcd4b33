//! `GET /health`, which checks that the database table and the delivery bucket respond.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use docferry_app::ports::{ReadAdapters, StorageProbe as _, TransferStore as _};
use docferry_contract::health::{Check, Checks, Health, Status};
use docferry_domain::ids::TransferId;
use http::StatusCode;

use crate::download::JobApi;

/// Timeout of one check. Monitors have short timeouts, and the Lambda function is stopped after 10
/// s.
const CHECK_TIMEOUT: Duration = Duration::from_secs(4);

/// Routes of `GET /health`.
pub(crate) fn health_routes<P: ReadAdapters>(api: Arc<JobApi<P>>) -> Router {
    Router::new().route("/health", get(health::<P>)).with_state(api)
}

/// Checks the table and the delivery bucket concurrently.
async fn health<P: ReadAdapters>(State(api): State<Arc<JobApi<P>>>) -> Response {
    // Read a record that does not exist. Any response shows that the table works.
    let unused_id = TransferId::from_u128(0);
    let state = check("state", api.store.get(&unused_id));
    let storage = check("storage", api.presigner.probe_storage());
    let (state, storage) = futures::join!(state, storage);
    let health = Health::from(Checks { state, storage });
    let code = match health.status {
        Status::Healthy => StatusCode::OK,
        Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, Json(health)).into_response()
}

/// Waits for the probe of a dependency. Logs a failure or a timeout of the probe.
async fn check<T, E: Display>(
    name: &'static str,
    probe: impl Future<Output = Result<T, E>>,
) -> Check {
    let cause = match tokio::time::timeout(CHECK_TIMEOUT, probe).await {
        Ok(Ok(_)) => return Check::Ok,
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(health.check = name, error.cause = cause, "health check failed");
    Check::Error
}
