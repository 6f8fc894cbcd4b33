use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::control::terminate;
use docferry_app::download::{Canceling, JobSettings, cancel_job};
use docferry_app::ports::{Clock, Store, Workflow};
use docferry_app::retry::{Retried, retry_job};
use docferry_contract::job::{JobCanceling, JobRetried, time};
use docferry_contract::scv::{TerminateRequest, Terminated};
use docferry_domain::{JobState, TransferId};
use http::{StatusCode, header};

use crate::api::TransferApi;
use crate::body;
use crate::download::FIRST_POLL_MS;
use crate::middleware::{Service, Writer, finish};
use crate::problem::ApiError;

/// What jobs run again with.
#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// Limits of the run that follows.
    pub job: JobSettings,
    /// How often a job may run again.
    pub max_retries: u32,
}

struct Retry<S, W, C> {
    api: Arc<TransferApi<S, W, C>>,
    settings: RetrySettings,
}

/// `POST /document/terminate`, `POST /v1/download/cancel/{jobId}` and
/// `POST /v1/download/retry/{jobId}`.
pub fn control_router<S, W, C>(api: TransferApi<S, W, C>, settings: RetrySettings) -> Router
where
    S: Store + 'static,
    W: Workflow + 'static,
    C: Clock + 'static,
{
    let api = Arc::new(api);
    let retries = Router::new()
        .route("/v1/download/retry/{jobId}", post(retry::<S, W, C>))
        .with_state(Arc::new(Retry { api: Arc::clone(&api), settings }));
    let routes = Router::new()
        .route("/document/terminate", post(stop::<S, W, C>))
        .route("/v1/download/cancel/{jobId}", post(cancel::<S, W, C>))
        .with_state(api)
        .merge(retries);
    finish(routes)
}

async fn stop<S, W, C>(
    State(api): State<Arc<TransferApi<S, W, C>>>,
    Service(owner): Service,
    request: Request,
) -> Result<(StatusCode, Json<Terminated>), ApiError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let body = body::json(request).await?;
    let wanted = TerminateRequest::parse(&body).map_err(ApiError::Invalid)?;
    terminate(&api.admitter(), api.record_ttl, &owner, &wanted.transfer_ids).await?;
    Ok((StatusCode::ACCEPTED, Json(Terminated::default())))
}

async fn cancel<S, W, C>(
    State(api): State<Arc<TransferApi<S, W, C>>>,
    Writer(owner): Writer,
    id: Result<Path<String>, PathRejection>,
) -> Result<(StatusCode, Json<JobCanceling>), ApiError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let id: TransferId = id.parse().map_err(|_| ApiError::NotFound)?;
    match cancel_job(&api.admitter(), api.record_ttl, &owner, &id).await? {
        Canceling::Asked => {
            let answer = JobCanceling { job_id: id.to_string(), status: "canceling" };
            Ok((StatusCode::ACCEPTED, Json(answer)))
        }
        Canceling::Ended => Err(ApiError::Conflict("The job has ended; its status says how.")),
        Canceling::Unknown => Err(ApiError::NotFound),
    }
}

async fn retry<S, W, C>(
    State(state): State<Arc<Retry<S, W, C>>>,
    Writer(owner): Writer,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let Retry { api, settings } = &*state;
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let id: TransferId = id.parse().map_err(|_| ApiError::NotFound)?;
    api.takes_work()?;
    let RetrySettings { job, max_retries } = *settings;
    match retry_job(&api.admitter(), job, max_retries, &owner, &id).await? {
        Retried::Promised { job, attempts } => {
            tracing::info!(job.id = id.as_str(), job.attempts = attempts, "job runs again");
            let answer = JobRetried {
                job_id: id.to_string(),
                status: JobState::Queued.as_str(),
                attempts,
                next_poll_in_ms: FIRST_POLL_MS,
                expires_at: time(job.keep_until),
            };
            let headers = [
                (header::LOCATION, format!("../status/{id}")),
                (header::RETRY_AFTER, "1".to_owned()),
            ];
            Ok((StatusCode::ACCEPTED, headers, Json(answer)).into_response())
        }
        Retried::NotEnded => Err(ApiError::Conflict(
            "Only a job that failed, was canceled or has expired runs again.",
        )),
        Retried::Abandoned => Err(ApiError::Conflict(
            "The job was never recorded whole, so it was never promised. Ask for a new one.",
        )),
        Retried::Spent => {
            Err(ApiError::Conflict("The job has run as often as it may. Ask for a new one."))
        }
        Retried::Part => {
            Err(ApiError::Conflict("This is a document of a job, which runs again as a whole."))
        }
        Retried::Unsettled => Err(ApiError::Unsettled),
        Retried::Unknown => Err(ApiError::NotFound),
    }
}
