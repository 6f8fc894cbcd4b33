//! Calls that stop or retry existing work. `POST /document/terminate` stops transfers of the
//! viewer (SCV), docferry's first client. `POST /v1/download/cancel/{jobId}` and
//! `POST /v1/download/retry/{jobId}` cancel or retry a job: a transfer or a batch of transfers.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::audit::denied_document;
use docferry_app::job::retry::{RetryRequest, RetryResult, RetrySettings, retry_job};
use docferry_app::job::terminate;
use docferry_app::job::{CancelResult, cancel_job};
use docferry_app::ports::{Clock as _, RetryAdapters, SlotAdapters, Store};
use docferry_contract::job::{JobCanceling, JobRetried, time};
use docferry_contract::scv::{TerminateRequest, Terminated};
use docferry_domain::job::JobState;
use http::{StatusCode, header};

use crate::api::TransferApi;
use crate::audit::{Audited, record_denial};
use crate::body;
use crate::download::FIRST_POLL_DELAY_MS;
use crate::error::ApiError;
use crate::job_id::parse_id;
use crate::middleware::{Service, Writer, with_common_parts};

/// Dependencies and settings of the retry route. A retry checks in the document registry whether
/// the caller may still see the documents.
struct RetryState<P: RetryAdapters> {
    api: Arc<TransferApi<P>>,
    registry: P::Registry,
    audit: P::Audit,
    settings: RetrySettings,
}

/// Router of `POST /document/terminate`, `POST /v1/download/cancel/{jobId}` and
/// `POST /v1/download/retry/{jobId}`.
pub fn control_router<P: RetryAdapters>(
    api: TransferApi<P>,
    registry: P::Registry,
    audit: P::Audit,
    settings: RetrySettings,
) -> Router {
    let api = Arc::new(api);
    let retry_routes = Router::new()
        .route("/v1/download/retry/{jobId}", post(retry::<P>))
        .with_state(Arc::new(RetryState { api: Arc::clone(&api), registry, audit, settings }));
    let routes = Router::new()
        .route("/document/terminate", post(terminate_transfers::<P>))
        .route("/v1/download/cancel/{jobId}", post(cancel::<P>))
        .with_state(api)
        .merge(retry_routes);
    with_common_parts(routes)
}

async fn terminate_transfers<P: SlotAdapters<Store: Store>>(
    State(api): State<Arc<TransferApi<P>>>,
    Service(caller): Service,
    request: Request,
) -> Result<(StatusCode, Json<Terminated>), ApiError> {
    let body = body::json(request).await?;
    let terminate_request = TerminateRequest::parse(&body).map_err(ApiError::Invalid)?;
    let transfer_ids = &terminate_request.transfer_ids;
    terminate(&api.scheduler(), api.record_ttl, &caller.id, transfer_ids).await?;
    Ok((StatusCode::ACCEPTED, Json(Terminated::default())))
}

async fn cancel<P: SlotAdapters<Store: Store>>(
    State(api): State<Arc<TransferApi<P>>>,
    Writer(caller): Writer,
    id: Result<Path<String>, PathRejection>,
) -> Result<(StatusCode, Json<JobCanceling>), ApiError> {
    let id = parse_id(id)?;
    match cancel_job(&api.scheduler(), api.record_ttl, &caller.id, &id).await? {
        CancelResult::Asked => {
            let body = JobCanceling { job_id: id.to_string(), status: "canceling" };
            Ok((StatusCode::ACCEPTED, Json(body)))
        }
        CancelResult::Ended => {
            Err(ApiError::Conflict("The job has already ended. See its status."))
        }
        CancelResult::Unknown => Err(ApiError::NotFound),
    }
}

async fn retry<P: RetryAdapters>(
    State(state): State<Arc<RetryState<P>>>,
    Writer(caller): Writer,
    Audited(audited): Audited,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let RetryState { api, registry, audit, settings } = &*state;
    let id = parse_id(id)?;
    api.ensure_not_draining()?;
    let request = RetryRequest {
        owner: &caller.id,
        caller: caller.document_caller(),
        origin: Some(audited.origin.clone()),
        id: &id,
        settings: *settings,
    };
    match retry_job(&api.scheduler(), registry, request).await? {
        RetryResult::Accepted { job, attempts } => {
            tracing::info!(job.id = id.as_str(), job.attempts = attempts, "job retried");
            let body = JobRetried {
                job_id: id.to_string(),
                status: JobState::Queued.as_str(),
                attempts,
                next_poll_in_ms: FIRST_POLL_DELAY_MS,
                expires_at: time(job.retain_until),
            };
            let headers = [
                (header::LOCATION, format!("../status/{id}")),
                (header::RETRY_AFTER, "1".to_owned()),
            ];
            Ok((StatusCode::ACCEPTED, headers, Json(body)).into_response())
        }
        RetryResult::NotEnded => {
            Err(ApiError::Conflict("Only a failed, canceled or expired job can be retried."))
        }
        RetryResult::Abandoned => Err(ApiError::Conflict(
            "The job was never accepted, because recording it failed. Create a new job.",
        )),
        RetryResult::RetriesExhausted => {
            Err(ApiError::Conflict("The job has used all its retries. Create a new job."))
        }
        RetryResult::Part => {
            Err(ApiError::Conflict("This document is part of a batch job. Retry the whole job."))
        }
        RetryResult::Unsettled => Err(ApiError::Unsettled),
        RetryResult::Hidden(documents) => {
            let requested = documents.iter().map(denied_document);
            record_denial(audit, &caller, &audited, requested, api.clock.now()).await?;
            Err(ApiError::NotFound)
        }
        RetryResult::Unknown => Err(ApiError::NotFound),
    }
}
