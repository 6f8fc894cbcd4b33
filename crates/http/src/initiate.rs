use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::initiate::{InitiateSettings, initiate};
use docferry_app::ports::{Clock, Store, Workflow};
use docferry_contract::scv::{UploadAccepted, UploadRequest};
use docferry_domain::{NewTransfer, Priority};
use http::StatusCode;
use jiff::SignedDuration;

use crate::api::TransferApi;
use crate::body;
use crate::middleware::{Service, finish};
use crate::problem::ApiError;

/// `POST /document/upload`; a transfer has to end within `transfer_deadline`.
pub fn initiate_router<S, W, C>(
    api: TransferApi<S, W, C>,
    transfer_deadline: SignedDuration,
) -> Router
where
    S: Store + 'static,
    W: Workflow + 'static,
    C: Clock + 'static,
{
    let settings = InitiateSettings { transfer_deadline, record_ttl: api.record_ttl };
    let routes = Router::new()
        .route("/document/upload", post(upload::<S, W, C>))
        .with_state(Arc::new(Initiate { api, settings }));
    finish(routes)
}

struct Initiate<S, W, C> {
    api: TransferApi<S, W, C>,
    settings: InitiateSettings,
}

async fn upload<S, W, C>(
    State(state): State<Arc<Initiate<S, W, C>>>,
    Service(owner): Service,
    request: Request,
) -> Result<(StatusCode, Json<UploadAccepted>), ApiError>
where
    S: Store,
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
        priority: Priority::Normal,
    };
    let transfer = initiate(&state.api.admitter(), state.settings, new).await?;
    let transfer_id = transfer.transfer_id.to_string();
    tracing::info!(transfer.id = transfer_id, "transfer accepted");
    Ok((StatusCode::ACCEPTED, Json(UploadAccepted { obj_guid, transfer_id })))
}
