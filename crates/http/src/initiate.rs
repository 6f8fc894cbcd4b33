use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::initiate::{InitiateSettings, NewTransfer, initiate};
use docferry_app::ports::{Clock, TransferStore, Workflow};
use docferry_contract::scv::{UploadAccepted, UploadRequest};
use http::StatusCode;

use crate::body;
use crate::middleware::{Principal, finish};
use crate::problem::ApiError;

/// What `initiate`'s router works with.
#[derive(Debug)]
pub struct InitiateApi<S, W, C> {
    /// Records.
    pub store: S,
    /// Runs transfers.
    pub workflow: W,
    /// The time.
    pub clock: C,
    /// Limits.
    pub settings: InitiateSettings,
}

/// `POST /document/upload`.
pub fn initiate_router<S, W, C>(api: InitiateApi<S, W, C>) -> Router
where
    S: TransferStore + 'static,
    W: Workflow + 'static,
    C: Clock + 'static,
{
    let routes =
        Router::new().route("/document/upload", post(upload::<S, W, C>)).with_state(Arc::new(api));
    finish(routes)
}

async fn upload<S, W, C>(
    State(api): State<Arc<InitiateApi<S, W, C>>>,
    Principal(owner): Principal,
    request: Request,
) -> Result<(StatusCode, Json<UploadAccepted>), ApiError>
where
    S: TransferStore,
    W: Workflow,
    C: Clock,
{
    let body = body::json(request).await?;
    let wanted = UploadRequest::parse(&body).map_err(ApiError::Invalid)?;
    let obj_guid = wanted.object_guid.as_str().to_owned();
    let new = NewTransfer {
        owner,
        object_guid: wanted.object_guid,
        recipient: wanted.recipient,
        file_path: wanted.file_path,
        folder: wanted.folder,
    };
    let transfer = initiate(&api.store, &api.workflow, &api.clock, api.settings, new).await?;
    let transfer_id = transfer.transfer_id.to_string();
    tracing::info!(transfer.id = transfer_id, "transfer accepted");
    Ok((StatusCode::ACCEPTED, Json(UploadAccepted { obj_guid, transfer_id })))
}
