//! `GET /v1/download/history` and `GET /v1/download/jobs`, which list the jobs of a caller page by
//! page. The newest job is first.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use docferry_app::job::list::{Filter, list_jobs};
use docferry_app::ports::{Clock as _, HistoryEntry, ReadAdapters};
use docferry_contract::job::{JobList, ListedJob, Timestamps, time};
use docferry_contract::problem::FieldError;
use docferry_contract::scope::Scope;
use docferry_domain::job::JobState;
use docferry_domain::transfer::Failure;
use jiff::Timestamp;
use serde::Deserialize;

use super::job_response;
use super::page::PageTokens;
use super::shared::JobApi;
use crate::error::ApiError;
use crate::middleware::{Principal, person};

/// Default number of jobs on a page.
const DEFAULT_PAGE_SIZE: usize = 20;
/// Maximum number of jobs on a page.
const MAX_PAGE_SIZE: usize = 100;
/// Value of `status` for a job whose documents are being packed into a ZIP archive. ZIP archives
/// are not implemented, so no job has this status yet.
const PACKING: &str = "processing_artifacts";

/// Query parameters of both calls.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListQuery {
    user_id: Option<String>,
    status: Option<String>,
    page_size: Option<usize>,
    page_token: Option<String>,
}

/// Handles both calls, because their responses are the same.
pub(super) async fn list<P: ReadAdapters>(
    State(api): State<Arc<JobApi<P>>>,
    caller: Principal,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<JobList>, ApiError> {
    if !caller.may(Scope::Read) {
        return Err(ApiError::Forbidden(Scope::Read));
    }
    let Query(query) = query.map_err(|_| invalid_query("pageSize must be a whole number"))?;
    let requested_user = query.user_id.filter(|user| !caller.is(user));
    if requested_user.is_some() && !caller.may(Scope::Delegate) {
        return Err(ApiError::Forbidden(Scope::Delegate));
    }
    let is_packing = query.status.as_deref() == Some(PACKING);
    let state = query.status.filter(|_| !is_packing).map(|text| parse_state(&text)).transpose()?;
    let filter = Filter { state, person: requested_user.as_deref().map(person) };
    let page_size = query.page_size.unwrap_or(DEFAULT_PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&page_size) {
        return Err(invalid_query("pageSize must be between 1 and 100"));
    }
    let page_tokens = PageTokens::for_list(&caller.id, &filter);
    let before = query.page_token.map(|text| page_tokens.read(&text)).transpose();
    let before = before.map_err(|_| invalid_query("pageToken does not belong to this list"))?;
    if is_packing {
        return Ok(Json(JobList { items: Vec::new(), next_page_token: None }));
    }
    let page =
        list_jobs(&api.store, &api.clock, api.record_ttl, &caller.id, &filter, before, page_size)
            .await?;
    let now = api.clock.now();
    let items = page.jobs.iter().map(|job| listed_job(job, now)).collect();
    let next_page_token = page.next.map(|place| page_tokens.write(&place));
    Ok(Json(JobList { items, next_page_token }))
}

/// Returns the error for an invalid query parameter.
fn invalid_query(detail: &str) -> ApiError {
    let error = FieldError { pointer: String::new(), detail: detail.to_owned() };
    ApiError::Invalid(vec![error])
}

/// Parses the query parameter `status`.
fn parse_state(text: &str) -> Result<JobState, ApiError> {
    let state = JobState::ALL.into_iter().find(|state| state.as_str() == text);
    state.ok_or_else(|| {
        let names = JobState::ALL.map(JobState::as_str).join(", ");
        invalid_query(&format!("status must be one of {names}, {PACKING}"))
    })
}

/// Returns the entry of a job in the list.
fn listed_job(job: &HistoryEntry, now: Timestamp) -> ListedJob {
    let state = job.state(now);
    let details = JobDetails::of(job);
    let place = job.place();
    let created_at = Timestamp::from_millisecond(place.created_ms).unwrap_or_default();
    ListedJob {
        job_id: place.id.to_string(),
        status: state.as_str(),
        attempts: details.retries.saturating_add(1),
        total_file_ids: details.documents,
        failed_items: details.failed_documents,
        timestamps: Timestamps {
            queued_at: time(created_at),
            started_at: details.started_at.map(time),
            updated_at: time(details.updated_at),
            completed_at: job.ended_at().map(time),
        },
        expires_at: details.retain_until.map(time),
        error: (state == JobState::Failed)
            .then(|| job_response::job_error(details.failure, job.ended_at()))
            .flatten(),
    }
}

/// Fields of a list entry. They come from the record of a transfer or from the record of a batch,
/// which differ.
struct JobDetails<'a> {
    retries: u32,
    started_at: Option<Timestamp>,
    updated_at: Timestamp,
    failure: Option<&'a Failure>,
    retain_until: Option<Timestamp>,
    documents: u16,
    failed_documents: u16,
}

impl<'a> JobDetails<'a> {
    fn of(job: &'a HistoryEntry) -> Self {
        match job {
            HistoryEntry::One(transfer) => Self {
                retries: transfer.retries,
                started_at: transfer.started_at,
                updated_at: job_response::updated_at(transfer),
                failure: transfer.failure.as_ref(),
                retain_until: transfer.spec.retain_until,
                documents: 1,
                failed_documents: job_response::failed_items(transfer),
            },
            HistoryEntry::Many(batch) => Self {
                retries: batch.retries,
                started_at: None,
                updated_at: batch.ended_at.unwrap_or(batch.created_at),
                failure: batch.failure.as_ref(),
                retain_until: batch.spec.retain_until,
                documents: batch.documents,
                failed_documents: batch.failed_documents,
            },
        }
    }
}
