//! `POST /document/upload`, which starts a delivery to OneDrive. The call belongs to the contract
//! with the viewer (SCV), the application from which users send documents.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::document::subject_of;
use docferry_app::job::{first_accepted_job, initiate_idempotent};
use docferry_app::ports::InitiateAdapters;
use docferry_app::transfer::create::initiate;
use docferry_contract::download::DocumentsMember;
use docferry_contract::scv::{UploadAccepted, UploadRequest};
use docferry_domain::audit::AuditContext;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::NewTransfer;
use http::StatusCode;

use crate::audit::Audited;
use crate::body;
use crate::download::{DownloadApi, initiate_routes, rejection_error, upload_idempotency_key};
use crate::error::ApiError;
use crate::middleware::{Service, with_common_parts};

/// Router of `POST /document/upload`, `POST /v1/download/initiate` and its deprecated alias
/// `POST /v1/download/start`.
pub fn initiate_router<P: InitiateAdapters>(api: DownloadApi<P>) -> Router {
    let api = Arc::new(api);
    let routes = Router::new()
        .route("/document/upload", post(upload::<P>))
        .with_state(Arc::clone(&api))
        .merge(initiate_routes(api));
    with_common_parts(routes)
}

async fn upload<P: InitiateAdapters>(
    State(api): State<Arc<DownloadApi<P>>>,
    Service(caller): Service,
    Audited(audited): Audited,
    request: Request,
) -> Result<(StatusCode, Json<UploadAccepted>), ApiError> {
    let headers = request.headers().clone();
    let body = body::json(request).await?;
    let upload_request = UploadRequest::parse(&body).map_err(ApiError::Invalid)?;
    let idempotency_key = upload_idempotency_key(&headers, &body, &caller.id)?;
    let scheduler = api.transfers.scheduler();
    let obj_guid = upload_request.object_guid.as_str().to_owned();
    let accepted = |transfer_id: String| {
        tracing::info!(transfer.id = transfer_id, "transfer accepted");
        Ok((StatusCode::ACCEPTED, Json(UploadAccepted { obj_guid, transfer_id })))
    };
    if let Err(draining) = api.transfers.ensure_not_draining() {
        // In drain mode, a repetition of an accepted request still gets the first response.
        let result = first_accepted_job(&scheduler, idempotency_key.as_ref()).await.transpose();
        let first_job = result
            .ok_or(draining)?
            .map_err(|reason| rejection_error(reason, DocumentsMember::FileId))?;
        return accepted(first_job.job_id.to_string());
    }
    let subject = subject_of(&api.registry, &upload_request.object_guid).await?;
    let transfer = NewTransfer {
        spec: JobSpec::of_owner(caller.id),
        audit: AuditContext { origin: Some(audited.origin), subject },
        object_guid: upload_request.object_guid,
        file_id: None,
        target: upload_request.target.into(),
        priority: Priority::Normal,
    };
    let settings = api.settings.initiate;
    let transfer_id = match idempotency_key {
        None => initiate(&scheduler, settings, transfer).await?.transfer_id,
        Some(idempotency_key) => {
            let job = initiate_idempotent(&scheduler, settings, transfer, &idempotency_key).await;
            job.map_err(|reason| rejection_error(reason, DocumentsMember::FileId))?.job_id
        }
    };
    accepted(transfer_id.to_string())
}
