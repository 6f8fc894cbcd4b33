//! What the reads of jobs have in common.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use docferry_app::download::{FetchableArtifact, Job, job_of};
use docferry_app::ports::{BundleStore, Clock, PresignedUrl, Presigner, TransferStore};
use docferry_contract::job::JobStatus;
use docferry_domain::TransferId;
use jiff::SignedDuration;
use serde::Deserialize;

use super::answer;
use crate::problem::ApiError;

/// What reads of jobs work with.
#[derive(Debug)]
pub struct JobApi<S, C, P> {
    /// Records.
    pub store: S,
    /// The time.
    pub clock: C,
    /// Makes URLs.
    pub presigner: P,
    /// How long an ended record is shown.
    pub record_ttl: SignedDuration,
    /// How long a URL works.
    pub url_ttl: SignedDuration,
}

/// How much of the progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Progress {
    /// The percentage.
    #[default]
    Plain,
    /// Bytes and step besides.
    Detail,
}

/// The job of an id in the path; what cannot be an id is an unknown id.
pub(super) async fn find_job<S, C, P>(
    api: &JobApi<S, C, P>,
    owner: &str,
    id: Result<Path<String>, PathRejection>,
) -> Result<(TransferId, Job), ApiError>
where
    S: TransferStore + BundleStore,
    C: Clock,
{
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let id: TransferId = id.parse().map_err(|_| ApiError::NotFound)?;
    let job = job_of(&api.store, &api.clock, api.record_ttl, owner, &id).await?;
    Ok((id, job.ok_or(ApiError::NotFound)?))
}

/// A URL to what a job has delivered, if that is to be fetched. Made anew each time and
/// kept nowhere.
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

/// A URL to an object of the delivery bucket.
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

pub(super) fn respond<S, C: Clock, P>(
    api: &JobApi<S, C, P>,
    id: &TransferId,
    job: &Job,
    progress: Progress,
    url: Option<&PresignedUrl>,
) -> Json<JobStatus> {
    let detail = progress == Progress::Detail;
    Json(answer::describe(job, id, api.clock.now(), detail, url))
}
