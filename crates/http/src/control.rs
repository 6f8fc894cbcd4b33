use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::control::terminate;
use docferry_app::download::{Canceling, cancel_job};
use docferry_app::ports::{Clock, Store, Workflow};
use docferry_contract::job::JobCanceling;
use docferry_contract::scv::{TerminateRequest, Terminated};
use docferry_domain::TransferId;
use http::StatusCode;

use crate::api::TransferApi;
use crate::body;
use crate::middleware::{Service, Writer, finish};
use crate::problem::ApiError;

/// `POST /document/terminate` and `POST /v1/download/cancel/{jobId}`.
pub fn control_router<S, W, C>(api: TransferApi<S, W, C>) -> Router
where
    S: Store + 'static,
    W: Workflow + 'static,
    C: Clock + 'static,
{
    let routes = Router::new()
        .route("/document/terminate", post(stop::<S, W, C>))
        .route("/v1/download/cancel/{jobId}", post(cancel::<S, W, C>))
        .with_state(Arc::new(api));
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
