use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::initiate::{InitiateSettings, initiate};
use docferry_app::ports::{Clock, Directory, DocumentIndex, Store, Workflow};
use docferry_contract::scv::{UploadAccepted, UploadRequest};
use docferry_domain::{NewTransfer, Priority};
use http::StatusCode;

use crate::api::TransferApi;
use crate::body;
use crate::download::{DownloadApi, initiate_routes};
use crate::middleware::{Service, finish};
use crate::problem::ApiError;

/// `POST /document/upload`, `POST /v1/download/initiate` and its older name.
pub fn initiate_router<S, W, C, I, G>(api: DownloadApi<S, W, C, I, G>) -> Router
where
    S: Store + 'static,
    W: Workflow + 'static,
    C: Clock + 'static,
    I: DocumentIndex + 'static,
    G: Directory + 'static,
{
    let uploads = Initiate { api: Arc::clone(&api.transfers), settings: api.settings.initiate };
    let routes = Router::new()
        .route("/document/upload", post(upload::<S, W, C>))
        .with_state(Arc::new(uploads))
        .merge(initiate_routes(api));
    finish(routes)
}

struct Initiate<S, W, C> {
    api: Arc<TransferApi<S, W, C>>,
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
    state.api.takes_work()?;
    let obj_guid = wanted.object_guid.as_str().to_owned();
    let new = NewTransfer {
        owner,
        on_behalf_of: None,
        object_guid: wanted.object_guid,
        file_id: None,
        target: wanted.target.into(),
        priority: Priority::Normal,
        keep_until: None,
        callback: None,
    };
    let transfer = initiate(&state.api.admitter(), state.settings, new).await?;
    let transfer_id = transfer.transfer_id.to_string();
    tracing::info!(transfer.id = transfer_id, "transfer accepted");
    Ok((StatusCode::ACCEPTED, Json(UploadAccepted { obj_guid, transfer_id })))
}
