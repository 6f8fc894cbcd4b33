//! Code that several routes of the downloads API share: the lookup of a job, presigned URLs, and
//! the status response.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use docferry_app::audit::AuditedRequest;
use docferry_app::document::JobDocuments;
use docferry_app::job::{FetchableArtifact, Job, job_of};
use docferry_app::ports::{AuditLog as _, Clock as _, PresignedUrl, Presigner as _, ReadAdapters};
use docferry_contract::job::JobStatus;
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::Transfer;
use jiff::SignedDuration;

use super::job_response::{self, ProgressLevel};
use crate::error::ApiError;
use crate::job_id::parse_id;
use crate::middleware::Principal;

/// Dependencies and settings of the routes that read jobs.
#[derive(Debug)]
pub struct JobApi<P: ReadAdapters> {
    /// Store of transfer records and batches.
    pub store: P::Store,
    /// Source of the current time.
    pub clock: P::Clock,
    /// Creates presigned URLs and probes the delivery bucket.
    pub presigner: P::Presigner,
    /// Document registry. Before a presigned URL is created, it decides whether the caller may
    /// still receive the document.
    pub registry: P::Registry,
    /// Log of audit events. An event is recorded before each presigned URL is returned.
    pub audit: P::Audit,
    /// Time for which the record of an ended job is shown.
    pub record_ttl: SignedDuration,
    /// Lifetime of a presigned URL.
    pub url_ttl: SignedDuration,
}

/// Finds the job with the id in the path. A malformed id causes the same error as an unknown id.
pub(super) async fn find_job<P: ReadAdapters>(
    api: &JobApi<P>,
    caller: &Principal,
    id: Result<Path<String>, PathRejection>,
) -> Result<(TransferId, Job), ApiError> {
    let id = parse_id(id)?;
    let job = job_of(&api.store, &api.clock, api.record_ttl, &caller.id, &id).await?;
    Ok((id, job.ok_or(ApiError::NotFound)?))
}

/// Asks the registry which documents of a job the caller may still receive.
pub(super) async fn job_documents<P: ReadAdapters>(
    api: &JobApi<P>,
    caller: &Principal,
    job: &Job,
) -> Result<JobDocuments, ApiError> {
    let now = api.clock.now();
    let caller = caller.document_caller();
    Ok(JobDocuments::of(&api.registry, &caller, job.documents(), now).await?)
}

/// Returns a presigned URL of the file that a job has delivered. The URL is new and is recorded in
/// the audit trail, but not stored. Returns `None` if the job does not have exactly one file to
/// download, or if the caller may no longer receive it.
pub(super) async fn presigned_url<P: ReadAdapters>(
    api: &JobApi<P>,
    caller: &Principal,
    request: &AuditedRequest,
    id: &TransferId,
    job: &Job,
) -> Result<Option<PresignedUrl>, ApiError> {
    let (Job::One(transfer), Some(artifact)) = (job, job.artifact()) else { return Ok(None) };
    let documents = job_documents(api, caller, job).await?;
    if !documents.may_receive(transfer) {
        return Ok(None);
    }
    let url = presign(api, artifact).await?;
    record_urls(api, request, id, &[(transfer, &artifact.artifact.key)]).await?;
    Ok(Some(url))
}

/// Records presigned URLs in the audit trail. Callers create the URLs first, then call this
/// function, and return the URLs only if it succeeds.
pub(super) async fn record_urls<P: ReadAdapters>(
    api: &JobApi<P>,
    request: &AuditedRequest,
    id: &TransferId,
    issued: &[(&Transfer, &str)],
) -> Result<(), ApiError> {
    let events = request.urls_issued(id, issued, api.clock.now());
    Ok(api.audit.record(&events).await?)
}

/// Returns a presigned URL of an object in the delivery bucket. The code that calls this function
/// must first check by [`job_documents`] that the caller of the API may receive the document.
pub(super) async fn presign<P: ReadAdapters>(
    api: &JobApi<P>,
    FetchableArtifact { artifact, name, mime }: FetchableArtifact<'_>,
) -> Result<PresignedUrl, ApiError> {
    let url = api.presigner.presign(&artifact.key, name, mime, api.clock.now(), api.url_ttl).await;
    Ok(url.map_err(docferry_app::TaskError::from)?)
}

/// Returns the status of a job as a JSON response.
pub(super) fn status_response<P: ReadAdapters>(
    api: &JobApi<P>,
    id: &TransferId,
    job: &Job,
    level: ProgressLevel,
    url: Option<&PresignedUrl>,
) -> Json<JobStatus> {
    Json(job_response::job_status(job, id, api.clock.now(), level, url))
}
