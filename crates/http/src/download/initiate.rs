use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::download::{JobSettings, NewJob, NotPromised, initiate_job};
use docferry_app::ports::{Clock, DocumentIndex, Store, Workflow};
use docferry_contract::download::{Destination, InitiateDownload};
use docferry_contract::job::{JobAccepted, time};
use docferry_contract::problem::FieldError;
use docferry_contract::scope::Scope;
use docferry_domain::{DownloadTarget, JobState, Person, Target};
use http::{HeaderValue, StatusCode, header};

use crate::api::TransferApi;
use crate::body;
use crate::middleware::{Principal, Writer};
use crate::problem::ApiError;

/// The numbers that documents may have.
pub type FileRange = RangeInclusive<u64>;

/// When to ask for the first time, in milliseconds.
const FIRST_POLL_MS: u32 = 1_000;

/// What jobs are made with.
#[derive(Debug)]
pub struct DownloadApi<S, W, C, I> {
    /// What transfers are made with.
    pub transfers: Arc<TransferApi<S, W, C>>,
    /// Which document has which number.
    pub index: I,
    /// Limits of jobs.
    pub settings: JobSettings,
    /// The numbers that documents may have.
    pub range: FileRange,
}

/// `POST /v1/download/initiate`, and its older name.
pub(crate) fn initiate_routes<S, W, C, I>(api: DownloadApi<S, W, C, I>) -> Router
where
    S: Store + 'static,
    W: Workflow + 'static,
    C: Clock + 'static,
    I: DocumentIndex + 'static,
{
    Router::new()
        .route("/v1/download/initiate", post(initiate::<S, W, C, I>))
        .route("/v1/download/start", post(start::<S, W, C, I>))
        .with_state(Arc::new(api))
}

async fn initiate<S, W, C, I>(
    State(api): State<Arc<DownloadApi<S, W, C, I>>>,
    _: Writer,
    caller: Principal,
    request: Request,
) -> Result<Response, ApiError>
where
    S: Store,
    W: Workflow,
    C: Clock,
    I: DocumentIndex,
{
    let body = body::json(request).await?;
    let wanted = InitiateDownload::parse(&body, &api.range).map_err(ApiError::Invalid)?;
    accept(&api, caller, wanted).await
}

/// The older name, for one document.
async fn start<S, W, C, I>(
    State(api): State<Arc<DownloadApi<S, W, C, I>>>,
    _: Writer,
    caller: Principal,
    request: Request,
) -> Result<Response, ApiError>
where
    S: Store,
    W: Workflow,
    C: Clock,
    I: DocumentIndex,
{
    let body = body::json(request).await?;
    let wanted = InitiateDownload::parse(&body, &api.range).map_err(ApiError::Invalid)?;
    if !wanted.is_single {
        let detail = "is not known here: use /v1/download/initiate".to_owned();
        return Err(ApiError::Invalid(vec![FieldError { pointer: "/file_ids".into(), detail }]));
    }
    let mut response = accept(&api, caller, wanted).await?;
    let headers = response.headers_mut();
    // RFC 9745: in use since before this version, deprecated from the start.
    headers.insert("deprecation", HeaderValue::from_static("@1764028800"));
    let successor = "</v1/download/initiate>; rel=\"successor-version\"";
    headers.insert(header::LINK, HeaderValue::from_static(successor));
    Ok(response)
}

async fn accept<S, W, C, I>(
    api: &DownloadApi<S, W, C, I>,
    caller: Principal,
    wanted: InitiateDownload,
) -> Result<Response, ApiError>
where
    S: Store,
    W: Workflow,
    C: Clock,
    I: DocumentIndex,
{
    if wanted.zip {
        return Err(ApiError::NotImplemented("Packing into a ZIP comes with a later version."));
    }
    let is_for_another = matches!(wanted.destination, Destination::Onedrive(_));
    // Whose OneDrive that is, a token does not say.
    if is_for_another && !caller.may(Scope::Delegate) {
        return Err(ApiError::Forbidden(Scope::Delegate));
    }
    let owner = caller.id;
    let target = match wanted.destination {
        Destination::Download => {
            Target::Download(DownloadTarget { person: Person::new(owner.clone()) })
        }
        Destination::Onedrive(drive) => drive.into(),
    };
    let total_file_ids = wanted.files.len();
    let is_single = wanted.is_single;
    let new = NewJob {
        owner,
        files: wanted.files,
        is_single,
        target,
        priority: wanted.priority,
        on_item_error: wanted.on_item_error,
    };
    let admitter = api.transfers.admitter();
    let promised = match initiate_job(&admitter, &api.index, api.settings, new).await {
        Ok(promised) => promised,
        Err(NotPromised::Failed(error)) => return Err(error.into()),
        Err(NotPromised::Unknown(places)) => {
            let unknown = |place: &usize| FieldError {
                pointer: if is_single { "/file_id".into() } else { format!("/file_ids/{place}") },
                detail: "is the number of no document".into(),
            };
            return Err(ApiError::Invalid(places.iter().map(unknown).collect()));
        }
    };
    let job_id = promised.job_id.to_string();
    tracing::info!(job.id = job_id, job.files = total_file_ids, "job accepted");
    // Relative to the request, so that it holds below a stage and on a domain of its own.
    let location = format!("status/{job_id}");
    let accepted = JobAccepted {
        job_id,
        status: JobState::Queued.as_str(),
        total_file_ids,
        next_poll_in_ms: FIRST_POLL_MS,
        expires_at: time(promised.keep_until),
    };
    let headers = [(header::LOCATION, location), (header::RETRY_AFTER, "1".to_owned())];
    Ok((StatusCode::ACCEPTED, headers, Json(accepted)).into_response())
}
