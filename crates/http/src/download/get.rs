use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use docferry_app::download::Job;
use docferry_app::ports::{BundleStore, Clock, Presigner, TransferStore};
use docferry_domain::{JobState, TransferId};
use http::{HeaderMap, StatusCode, header};
use secrecy::ExposeSecret as _;

use super::answer;
use super::shared::{JobApi, Progress, find_job, presigned_url, respond};
use crate::middleware::{Reader, finish};
use crate::problem::ApiError;

/// `GET /v1/download/{jobId}`.
pub fn download_router<S, C, P>(api: JobApi<S, C, P>) -> Router
where
    S: TransferStore + BundleStore + 'static,
    C: Clock + 'static,
    P: Presigner + 'static,
{
    let routes = Router::new()
        .route("/v1/download/{jobId}", get(fetch::<S, C, P>))
        .with_state(Arc::new(api));
    finish(routes)
}

async fn fetch<S, C, P>(
    State(api): State<Arc<JobApi<S, C, P>>>,
    Reader(owner): Reader,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError>
where
    S: TransferStore + BundleStore,
    C: Clock,
    P: Presigner,
{
    let (id, job) = find_job(&api, &owner, id).await?;
    match job.state(api.clock.now()) {
        JobState::Expired => Err(ApiError::Gone),
        JobState::Completed => match presigned_url(&api, &job).await? {
            // There is nothing to fetch: it went into a OneDrive, or document by document.
            None => Err(not_completed(&api, &id, &job)),
            Some(url) if wants_json(&headers) => Ok(Json(answer::result(&url)).into_response()),
            Some(url) => {
                let location = [(header::LOCATION, url.url.expose_secret().to_owned())];
                Ok((StatusCode::FOUND, location).into_response())
            }
        },
        _ => Err(not_completed(&api, &id, &job)),
    }
}

fn not_completed<S, C: Clock, P>(api: &JobApi<S, C, P>, id: &TransferId, job: &Job) -> ApiError {
    let Json(status) = respond(api, id, job, Progress::Plain, None);
    ApiError::NotCompleted(Box::new(status))
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json"))
}
