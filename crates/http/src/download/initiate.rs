use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::TaskError;
use docferry_app::download::{
    JobSettings, NewJob, NotPromised, RequestName, initiate_job, promised_before,
};
use docferry_app::ports::{Clock, Directory, DocumentIndex, Store, Workflow};
use docferry_contract::download::{Destination, InitiateDownload};
use docferry_contract::job::{JobAccepted, time};
use docferry_contract::problem::FieldError;
use docferry_contract::scope::Scope;
use docferry_domain::{CallbackRule, DownloadTarget, JobState, Person, Recipient, Target};
use http::{HeaderValue, StatusCode, header};

use super::name::request_name;
use crate::api::TransferApi;
use crate::body;
use crate::middleware::{Principal, Writer, person};
use crate::problem::ApiError;

/// The numbers that documents may have.
pub type FileRange = RangeInclusive<u64>;

/// When to ask for the first time, in milliseconds.
pub(crate) const FIRST_POLL_MS: u32 = 1_000;

/// What jobs are made with.
#[derive(Debug)]
pub struct DownloadApi<S, W, C, I, G> {
    /// What transfers are made with.
    pub transfers: Arc<TransferApi<S, W, C>>,
    /// Which document has which number.
    pub index: I,
    /// Whose OneDrive is whose.
    pub directory: G,
    /// Limits of jobs.
    pub settings: JobSettings,
    /// The numbers that documents may have.
    pub range: FileRange,
    /// Which addresses may be told of an end.
    pub callbacks: CallbackRule,
}

type Shared<S, W, C, I, G> = Arc<DownloadApi<S, W, C, I, G>>;

/// `POST /v1/download/initiate`, and its older name.
pub(crate) fn initiate_routes<S, W, C, I, G>(api: DownloadApi<S, W, C, I, G>) -> Router
where
    S: Store + 'static,
    W: Workflow + 'static,
    C: Clock + 'static,
    I: DocumentIndex + 'static,
    G: Directory + 'static,
{
    Router::new()
        .route("/v1/download/initiate", post(initiate::<S, W, C, I, G>))
        .route("/v1/download/start", post(start::<S, W, C, I, G>))
        .with_state(Arc::new(api))
}

async fn initiate<S, W, C, I, G>(
    State(api): State<Shared<S, W, C, I, G>>,
    _: Writer,
    caller: Principal,
    request: Request,
) -> Result<Response, ApiError>
where
    S: Store,
    W: Workflow,
    C: Clock,
    I: DocumentIndex,
    G: Directory,
{
    let (wanted, name) = read(&api, &caller, request).await?;
    accept(&api, caller, wanted, name).await
}

/// What a request asks for, and what its caller calls it.
async fn read<S, W, C, I, G>(
    api: &DownloadApi<S, W, C, I, G>,
    caller: &Principal,
    request: Request,
) -> Result<(InitiateDownload, Option<RequestName>), ApiError> {
    let headers = request.headers().clone();
    let body = body::json(request).await?;
    let wanted = InitiateDownload::parse(&body, &api.range, api.callbacks);
    let wanted = wanted.map_err(ApiError::Invalid)?;
    Ok((wanted, request_name(&headers, &body, &caller.id)?))
}

/// The older name, for one document.
async fn start<S, W, C, I, G>(
    State(api): State<Shared<S, W, C, I, G>>,
    _: Writer,
    caller: Principal,
    request: Request,
) -> Result<Response, ApiError>
where
    S: Store,
    W: Workflow,
    C: Clock,
    I: DocumentIndex,
    G: Directory,
{
    let (wanted, name) = read(&api, &caller, request).await?;
    if !wanted.is_single {
        let detail = "is not known here: use /v1/download/initiate".to_owned();
        return Err(ApiError::Invalid(vec![FieldError { pointer: "/file_ids".into(), detail }]));
    }
    let mut response = accept(&api, caller, wanted, name).await?;
    let headers = response.headers_mut();
    // RFC 9745: in use since before this version, deprecated from the start.
    headers.insert("deprecation", HeaderValue::from_static("@1764028800"));
    // Relative, as `Location` is.
    let successor = "<initiate>; rel=\"successor-version\"";
    headers.insert(header::LINK, HeaderValue::from_static(successor));
    Ok(response)
}

/// Whether the caller is the user with that address. Nobody is told whether there is
/// such a user.
async fn has_drive_of(
    directory: &impl Directory,
    caller: &Principal,
    recipient: &Recipient,
) -> Result<bool, ApiError> {
    let Some(caller) = &caller.graph_user else { return Ok(false) };
    let user = directory.user_id(recipient).await.map_err(TaskError::from)?;
    Ok(user.is_some_and(|user| user.eq_ignore_ascii_case(caller)))
}

async fn accept<S, W, C, I, G>(
    api: &DownloadApi<S, W, C, I, G>,
    caller: Principal,
    wanted: InitiateDownload,
    name: Option<RequestName>,
) -> Result<Response, ApiError>
where
    S: Store,
    W: Workflow,
    C: Clock,
    I: DocumentIndex,
    G: Directory,
{
    if wanted.zip {
        return Err(ApiError::NotImplemented("Packing into a ZIP comes with a later version."));
    }
    let (total_file_ids, is_single) = (wanted.files.len(), wanted.is_single);
    let admitter = api.transfers.admitter();
    let promised = match api.transfers.takes_work() {
        Ok(()) => {
            let new = checked(api, caller, wanted, name).await?;
            initiate_job(&admitter, &api.index, api.settings, new).await
        }
        // What was promised before stays so.
        Err(draining) => {
            promised_before(&admitter, name.as_ref()).await.transpose().ok_or(draining)?
        }
    };
    let promised = promised.map_err(|reason| refusal(reason, is_single))?;
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

/// The job that is wanted, if its caller may have it.
async fn checked<S, W, C, I, G>(
    api: &DownloadApi<S, W, C, I, G>,
    caller: Principal,
    wanted: InitiateDownload,
    name: Option<RequestName>,
) -> Result<NewJob, ApiError>
where
    G: Directory,
{
    if let Destination::Onedrive(drive) = &wanted.destination
        && !caller.may(Scope::Delegate)
        && !has_drive_of(&api.directory, &caller, &drive.recipient).await?
    {
        return Err(ApiError::Forbidden(Scope::Delegate));
    }
    let on_behalf_of = wanted.user_id.filter(|user| !caller.is(user));
    if on_behalf_of.is_some() && !caller.may(Scope::Delegate) {
        return Err(ApiError::Forbidden(Scope::Delegate));
    }
    let on_behalf_of = on_behalf_of.as_deref().map(person);
    let is_service = caller.scopes.has(Scope::Service);
    let owner = caller.id;
    let itself = || if is_service { Person::service(&owner) } else { person(&owner) };
    let target = match wanted.destination {
        Destination::Download => {
            Target::Download(DownloadTarget { person: on_behalf_of.clone().unwrap_or_else(itself) })
        }
        Destination::Onedrive(drive) => drive.into(),
    };
    Ok(NewJob {
        owner,
        on_behalf_of,
        files: wanted.files,
        is_single: wanted.is_single,
        target,
        priority: wanted.priority,
        on_item_error: wanted.on_item_error,
        callback: wanted.callback,
        name,
    })
}

/// The answer to a request that was not accepted.
pub(crate) fn refusal(reason: NotPromised, is_single: bool) -> ApiError {
    let unknown = |place: usize| FieldError {
        pointer: if is_single { "/file_id".into() } else { format!("/file_ids/{place}") },
        detail: "is the number of no document".into(),
    };
    match reason {
        NotPromised::Failed(error) => error.into(),
        NotPromised::OtherRequest => ApiError::OtherRequest,
        NotPromised::Pending => ApiError::Pending,
        NotPromised::Unknown(places) => {
            ApiError::Invalid(places.into_iter().map(unknown).collect())
        }
    }
}
