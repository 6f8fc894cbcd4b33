//! `POST /document/upload`, which starts a delivery to OneDrive. The call belongs to the contract
//! with the viewer (SCV), the application from which users send documents.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::job::{first_accepted_job, initiate_idempotent};
use docferry_app::ports::{InitiateAdapters, SlotAdapters, Store};
use docferry_app::transfer::create::{InitiateSettings, initiate};
use docferry_contract::scv::{UploadAccepted, UploadRequest};
use docferry_domain::slots::Priority;
use docferry_domain::transfer::NewTransfer;
use http::StatusCode;

use crate::api::TransferApi;
use crate::body;
use crate::download::{DownloadApi, initiate_routes, rejection_error, upload_idempotency_key};
use crate::error::ApiError;
use crate::middleware::{Service, finish};

/// Router of `POST /document/upload`, `POST /v1/download/initiate` and its deprecated alias
/// `POST /v1/download/start`.
pub fn initiate_router<P: InitiateAdapters>(api: DownloadApi<P>) -> Router {
    let upload_state =
        UploadState { api: Arc::clone(&api.transfers), settings: api.settings.initiate };
    let routes = Router::new()
        .route("/document/upload", post(upload::<P>))
        .with_state(Arc::new(upload_state))
        .merge(initiate_routes(api));
    finish(routes)
}

/// State of the upload route.
struct UploadState<P: SlotAdapters> {
    api: Arc<TransferApi<P>>,
    settings: InitiateSettings,
}

async fn upload<P: SlotAdapters<Store: Store>>(
    State(state): State<Arc<UploadState<P>>>,
    Service(caller): Service,
    request: Request,
) -> Result<(StatusCode, Json<UploadAccepted>), ApiError> {
    let headers = request.headers().clone();
    let body = body::json(request).await?;
    let upload_request = UploadRequest::parse(&body).map_err(ApiError::Invalid)?;
    let idempotency_key = upload_idempotency_key(&headers, &body, &caller.id)?;
    let scheduler = state.api.scheduler();
    let obj_guid = upload_request.object_guid.as_str().to_owned();
    let accepted = |transfer_id: String| {
        tracing::info!(transfer.id = transfer_id, "transfer accepted");
        Ok((StatusCode::ACCEPTED, Json(UploadAccepted { obj_guid, transfer_id })))
    };
    if let Err(draining) = state.api.ensure_not_draining() {
        // In drain mode, a request that repeats an accepted request gets the first response again.
        let first = first_accepted_job(&scheduler, idempotency_key.as_ref()).await.transpose();
        let first = first.ok_or(draining)?.map_err(|reason| rejection_error(reason, true))?;
        return accepted(first.job_id.to_string());
    }
    let transfer = NewTransfer {
        owner: caller.id,
        on_behalf_of: None,
        object_guid: upload_request.object_guid,
        file_id: None,
        target: upload_request.target.into(),
        priority: Priority::Normal,
        retain_until: None,
        callback: None,
    };
    let transfer_id = match idempotency_key {
        None => initiate(&scheduler, state.settings, transfer).await?.transfer_id,
        Some(idempotency_key) => {
            let first =
                initiate_idempotent(&scheduler, state.settings, transfer, &idempotency_key).await;
            first.map_err(|reason| rejection_error(reason, true))?.job_id
        }
    };
    accepted(transfer_id.to_string())
}
