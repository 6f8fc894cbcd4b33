//! `POST /v1/download/initiate`, which creates a job for one or many documents, and its deprecated
//! alias `POST /v1/download/start`. A job delivers documents to a OneDrive, or makes them available
//! for download.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::TaskError;
use docferry_app::audit::{AuditedRequest, denied_document};
use docferry_app::job::{
    IdempotencyKey, JobRejection, JobSettings, NewJob, first_accepted_job, initiate_job,
};
use docferry_app::ports::{Clock as _, Directory, InitiateAdapters};
use docferry_contract::download::{
    Destination, DocumentsMember, InitiateDownload, is_for_services,
};
use docferry_contract::job::{JobAccepted, time};
use docferry_contract::problem::FieldError;
use docferry_contract::scope::Scope;
use docferry_domain::audit::RequestOrigin;
use docferry_domain::callback::CallbackRule;
use docferry_domain::job::JobState;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Recipient;
use docferry_domain::transfer::{DownloadTarget, Target};
use http::{HeaderValue, StatusCode, header};

use super::idempotency_key::idempotency_key;
use crate::api::TransferApi;
use crate::audit::{Audited, record_denial};
use crate::body;
use crate::body_limit::BodyLimit;
use crate::error::ApiError;
use crate::middleware::{Principal, Writer, person};

/// Range of valid document numbers.
pub type FileRange = RangeInclusive<u64>;

/// Time after which clients should poll a new job for the first time, in milliseconds.
pub(crate) const FIRST_POLL_DELAY_MS: u32 = 1_000;

/// Dependencies and settings of the routes that create jobs.
#[derive(Debug)]
pub struct DownloadApi<P: InitiateAdapters> {
    /// Dependencies that create transfers.
    pub transfers: TransferApi<P>,
    /// Document registry.
    pub registry: P::Registry,
    /// Log of audit events.
    pub audit: P::Audit,
    /// Directory that maps e-mail addresses to users of OneDrive.
    pub directory: P::Directory,
    /// Deadline and retention of jobs.
    pub settings: JobSettings,
    /// Range of valid document numbers.
    pub range: FileRange,
    /// Rule that decides which addresses are allowed as `callbackUrl`.
    pub callbacks: CallbackRule,
}

type Shared<P> = Arc<DownloadApi<P>>;

/// Routes of `POST /v1/download/initiate` and its deprecated alias `POST /v1/download/start`.
pub(crate) fn initiate_routes<P: InitiateAdapters>(api: Arc<DownloadApi<P>>) -> Router {
    Router::new()
        .route("/v1/download/initiate", post(initiate::<P>))
        .route("/v1/download/start", post(start::<P>))
        .with_state(api)
}

async fn initiate<P: InitiateAdapters>(
    State(api): State<Shared<P>>,
    Writer(caller): Writer,
    Audited(audited): Audited,
    request: Request,
) -> Result<Response, ApiError> {
    let limit = BodyLimit::DocumentList;
    let (job_request, idempotency_key) = read_request(&api, &caller, limit, request).await?;
    accept(&api, &caller, &audited, job_request, idempotency_key).await
}

/// Reads a request and its idempotency key.
///
/// Only a service may name documents by GUIDs or name a court case. The request of any other caller
/// is refused before the documents are looked up, so the response does not show whether a GUID
/// exists.
async fn read_request<P: InitiateAdapters>(
    api: &DownloadApi<P>,
    caller: &Principal,
    limit: BodyLimit,
    request: Request,
) -> Result<(InitiateDownload, Option<IdempotencyKey>), ApiError> {
    let headers = request.headers().clone();
    let body = body::json_up_to(limit, request).await?;
    if is_for_services(&body) && !caller.may(Scope::Service) {
        return Err(ApiError::Forbidden(Scope::Service));
    }
    let job_request = InitiateDownload::parse(&body, &api.range, api.callbacks);
    let job_request = job_request.map_err(ApiError::Invalid)?;
    Ok((job_request, idempotency_key(&headers, &body, &caller.id)?))
}

/// Deprecated alias of `initiate`, for one document only.
async fn start<P: InitiateAdapters>(
    State(api): State<Shared<P>>,
    Writer(caller): Writer,
    Audited(audited): Audited,
    request: Request,
) -> Result<Response, ApiError> {
    let limit = BodyLimit::Default;
    let (job_request, idempotency_key) = read_request(&api, &caller, limit, request).await?;
    let member = job_request.documents.member;
    if member != DocumentsMember::FileId {
        let detail = "is not supported by this call; use /v1/download/initiate";
        return Err(ApiError::Invalid(vec![FieldError::field(member.name(), detail)]));
    }
    let mut response = accept(&api, &caller, &audited, job_request, idempotency_key).await?;
    let headers = response.headers_mut();
    // RFC 9745: the Unix time from which the call is deprecated (25 November 2025).
    headers.insert("deprecation", HeaderValue::from_static("@1764028800"));
    // The link is relative to the request, like `Location`.
    let successor = "<initiate>; rel=\"successor-version\"";
    headers.insert(header::LINK, HeaderValue::from_static(successor));
    Ok(response)
}

/// Returns whether the recipient's address belongs to the caller. Returns `false` both for an
/// unknown address and for the address of another user, so that callers cannot find out which users
/// exist.
async fn is_recipient(
    directory: &impl Directory,
    principal: &Principal,
    recipient: &Recipient,
) -> Result<bool, ApiError> {
    let Some(caller) = &principal.graph_user else { return Ok(false) };
    let user = directory.user_id(recipient).await.map_err(TaskError::from)?;
    Ok(user.is_some_and(|user| user.eq_ignore_ascii_case(caller)))
}

/// Creates the job and returns the response. If an earlier request with the same idempotency key
/// has created a job, returns the response for that job and creates none.
async fn accept<P: InitiateAdapters>(
    api: &DownloadApi<P>,
    caller: &Principal,
    audited: &AuditedRequest,
    job_request: InitiateDownload,
    idempotency_key: Option<IdempotencyKey>,
) -> Result<Response, ApiError> {
    if job_request.zip {
        return Err(ApiError::NotImplemented(
            "This version cannot pack documents into a ZIP archive.",
        ));
    }
    let total_file_ids = job_request.documents.keys.len();
    let member = job_request.documents.member;
    let scheduler = api.transfers.scheduler();
    let result = match api.transfers.ensure_not_draining() {
        Ok(()) => {
            let origin = audited.origin.clone();
            let new_job = authorize(api, caller, origin, job_request, idempotency_key).await?;
            let documents = new_job.documents.clone();
            let result = initiate_job(&scheduler, &api.registry, api.settings, new_job).await;
            if let Err(JobRejection::Unknown(indexes)) = &result {
                let unknown = indexes.iter().filter_map(|index| documents.get(*index));
                let requested = unknown.map(denied_document);
                let now = api.transfers.clock.now();
                record_denial(&api.audit, caller, audited, requested, now).await?;
            }
            result
        }
        // In drain mode, a repetition of an accepted request still gets the first response.
        Err(draining) => first_accepted_job(&scheduler, idempotency_key.as_ref())
            .await
            .transpose()
            .ok_or(draining)?,
    };
    let accepted = result.map_err(|reason| rejection_error(reason, member))?;
    let job_id = accepted.job_id.to_string();
    tracing::info!(job.id = job_id, job.files = total_file_ids, "job accepted");
    // The location is relative to the request. So it is correct below the stage path of API Gateway
    // as well as on a custom domain.
    let location = format!("status/{job_id}");
    let body = JobAccepted {
        job_id,
        status: JobState::Queued.as_str(),
        total_file_ids,
        next_poll_in_ms: FIRST_POLL_DELAY_MS,
        expires_at: time(accepted.retain_until),
    };
    let headers = [(header::LOCATION, location), (header::RETRY_AFTER, "1".to_owned())];
    Ok((StatusCode::ACCEPTED, headers, Json(body)).into_response())
}

/// Checks that the caller may create the job, and returns the parameters of the job.
async fn authorize<P: InitiateAdapters>(
    api: &DownloadApi<P>,
    caller: &Principal,
    origin: RequestOrigin,
    job_request: InitiateDownload,
    idempotency_key: Option<IdempotencyKey>,
) -> Result<NewJob, ApiError> {
    if let Destination::Onedrive(drive) = &job_request.destination
        && !caller.may(Scope::Delegate)
        && !is_recipient(&api.directory, caller, &drive.recipient).await?
    {
        return Err(ApiError::Forbidden(Scope::Delegate));
    }
    let on_behalf_of = job_request.user_id.filter(|user| !caller.is(user));
    if on_behalf_of.is_some() && !caller.may(Scope::Delegate) {
        return Err(ApiError::Forbidden(Scope::Delegate));
    }
    let on_behalf_of = on_behalf_of.as_deref().map(person);
    let requester = caller.document_caller();
    let caller_person = caller.slot_person();
    let target = match job_request.destination {
        Destination::Download => Target::Download(DownloadTarget {
            person: on_behalf_of.clone().unwrap_or(caller_person),
        }),
        Destination::Onedrive(drive) => drive.into(),
    };
    let spec = JobSpec {
        on_behalf_of,
        case: job_request.case,
        callback: job_request.callback,
        ..JobSpec::of_owner(&caller.id)
    };
    Ok(NewJob {
        spec,
        origin: Some(origin),
        is_single: job_request.documents.member == DocumentsMember::FileId,
        documents: job_request.documents.keys,
        requester,
        target,
        priority: job_request.priority,
        on_item_error: job_request.on_item_error,
        name: idempotency_key,
    })
}

/// Returns the error for a job that was not accepted. `member` is the member of the request body
/// that names the documents.
pub(crate) fn rejection_error(reason: JobRejection, member: DocumentsMember) -> ApiError {
    match reason {
        JobRejection::Failed(error) => error.into(),
        JobRejection::KeyReused => ApiError::KeyReused,
        JobRejection::Pending => ApiError::Pending,
        JobRejection::Unknown(indexes) => {
            let errors = indexes.into_iter().map(|index| member.unknown_document(index));
            ApiError::Invalid(errors.collect())
        }
    }
}
