//! Code that the routes of the downloads API share to read jobs: the lookup of a job, presigned
//! URLs, and the status response.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use docferry_app::job::{FetchableArtifact, Job, job_of};
use docferry_app::ports::{BatchStore, Clock, PresignedUrl, Presigner, TransferStore};
use docferry_contract::job::JobStatus;
use docferry_domain::ids::TransferId;
use jiff::SignedDuration;
use serde::Deserialize;

use super::job_response;
use crate::error::ApiError;

/// Dependencies and settings of the routes that read jobs.
#[derive(Debug)]
pub struct JobApi<S, C, P> {
    /// Store of transfer records and batches.
    pub store: S,
    /// Source of the current time.
    pub clock: C,
    /// Creates presigned URLs and probes the delivery bucket.
    pub presigner: P,
    /// Time for which the record of an ended job is shown.
    pub record_ttl: SignedDuration,
    /// Lifetime of a presigned URL.
    pub url_ttl: SignedDuration,
}

/// Level of detail of the progress in a status: the query parameter `progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Progress {
    /// Percentage only.
    #[default]
    Plain,
    /// Percentage, bytes, throughput and phase.
    Detail,
}

/// Finds the job with the id in the path. A malformed id causes the same error as an unknown id.
pub(super) async fn find_job<S, C, P>(
    api: &JobApi<S, C, P>,
    owner: &str,
    id: Result<Path<String>, PathRejection>,
) -> Result<(TransferId, Job), ApiError>
where
    S: TransferStore + BatchStore,
    C: Clock,
{
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let id: TransferId = id.parse().map_err(|_| ApiError::NotFound)?;
    let job = job_of(&api.store, &api.clock, api.record_ttl, owner, &id).await?;
    Ok((id, job.ok_or(ApiError::NotFound)?))
}

/// Returns a presigned URL of the file that a job has delivered. Returns `None` if the job does not
/// have exactly one file to download. A new URL is created for each response, and no URL is stored.
pub(super) async fn presigned_url<S, C, P>(
    api: &JobApi<S, C, P>,
    job: &Job,
) -> Result<Option<PresignedUrl>, ApiError>
where
    C: Clock,
    P: Presigner,
{
    let Some(artifact) = job.artifact() else { return Ok(None) };
    presign(api, artifact).await.map(Some)
}

/// Returns a presigned URL of an object in the delivery bucket.
pub(super) async fn presign<S, C, P>(
    api: &JobApi<S, C, P>,
    FetchableArtifact { artifact, name, mime }: FetchableArtifact<'_>,
) -> Result<PresignedUrl, ApiError>
where
    C: Clock,
    P: Presigner,
{
    let url = api.presigner.presign(&artifact.key, name, mime, api.clock.now(), api.url_ttl).await;
    Ok(url.map_err(docferry_app::TaskError::from)?)
}

/// Returns the status of a job as a JSON response.
pub(super) fn status_response<S, C: Clock, P>(
    api: &JobApi<S, C, P>,
    id: &TransferId,
    job: &Job,
    progress: Progress,
    url: Option<&PresignedUrl>,
) -> Json<JobStatus> {
    let detail = progress == Progress::Detail;
    Json(job_response::job_status(job, id, api.clock.now(), detail, url))
}
