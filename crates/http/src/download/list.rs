//! `GET /v1/download/history` and `GET /v1/download/jobs`: the jobs of a caller, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use docferry_app::job::list::{Filter, list_jobs};
use docferry_app::ports::{Clock, History, HistoryEntry};
use docferry_contract::job::{JobList, ListedJob, Timestamps, time};
use docferry_contract::problem::FieldError;
use docferry_contract::scope::Scope;
use docferry_domain::job::JobState;
use jiff::Timestamp;
use serde::Deserialize;

use super::answer;
use super::page::PageToken;
use super::shared::JobApi;
use crate::error::ApiError;
use crate::middleware::{Principal, person};

/// Default number of jobs on a page.
const DEFAULT_PAGE_SIZE: usize = 20;
/// Maximum number of jobs on a page.
const MAX_PAGE_SIZE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListQuery {
    user_id: Option<String>,
    status: Option<String>,
    page_size: Option<usize>,
    page_token: Option<String>,
}

/// State of a job while it is packed into a ZIP archive. ZIP archives are not implemented, so no
/// job is in this state yet.
const PACKING: &str = "processing_artifacts";

pub(super) async fn list<S: History, C: Clock, P>(
    State(api): State<Arc<JobApi<S, C, P>>>,
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
    let state = query.status.filter(|_| !is_packing).map(|text| state_of(&text)).transpose()?;
    let filter = Filter { state, person: requested_user.as_deref().map(person) };
    let size = query.page_size.unwrap_or(DEFAULT_PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&size) {
        return Err(invalid_query("pageSize must be between 1 and 100"));
    }
    let binding = PageToken::binding(&caller.id, &filter);
    let before = query.page_token.map(|text| binding.read(&text)).transpose();
    let before = before.map_err(|_| invalid_query("pageToken does not belong to this list"))?;
    if is_packing {
        return Ok(Json(JobList { items: Vec::new(), next_page_token: None }));
    }
    let page = list_jobs(&api.store, &api.clock, api.record_ttl, &caller.id, &filter, before, size)
        .await?;
    let now = api.clock.now();
    let items = page.jobs.iter().map(|job| listed(job, now)).collect();
    let next_page_token = page.next.map(|place| binding.write(&place));
    Ok(Json(JobList { items, next_page_token }))
}

/// Error for an invalid query parameter.
fn invalid_query(detail: &str) -> ApiError {
    let error = FieldError { pointer: String::new(), detail: detail.to_owned() };
    ApiError::Invalid(vec![error])
}

fn state_of(text: &str) -> Result<JobState, ApiError> {
    let known = JobState::ALL.into_iter().find(|state| state.as_str() == text);
    known.ok_or_else(|| {
        let names = JobState::ALL.map(JobState::as_str).join(", ");
        invalid_query(&format!("status must be one of {names}, {PACKING}"))
    })
}

fn listed(job: &HistoryEntry, now: Timestamp) -> ListedJob {
    let state = job.state(now);
    let (retries, started_at, updated_at, failure, retain_until, items) = match job {
        HistoryEntry::One(transfer) => {
            let (updated_at, items) =
                (answer::updated_at(transfer), (1, answer::failed_items(transfer)));
            (
                transfer.retries,
                transfer.started_at,
                updated_at,
                &transfer.failure,
                transfer.retain_until,
                items,
            )
        }
        HistoryEntry::Many(batch) => {
            let updated_at = batch.ended_at.unwrap_or(batch.created_at);
            let items = (batch.documents, batch.failed_documents);
            (batch.retries, None, updated_at, &batch.failure, batch.retain_until, items)
        }
    };
    let (total_file_ids, failed_items) = items;
    let place = job.place();
    let created_at = Timestamp::from_millisecond(place.created_ms).unwrap_or_default();
    ListedJob {
        job_id: place.id.to_string(),
        status: state.as_str(),
        attempts: retries.saturating_add(1),
        total_file_ids,
        failed_items,
        timestamps: Timestamps {
            queued_at: time(created_at),
            started_at: started_at.map(time),
            updated_at: time(updated_at),
            completed_at: job.ended_at().map(time),
        },
        expires_at: retain_until.map(time),
        error: (state == JobState::Failed)
            .then(|| answer::job_error(failure.as_ref(), job.ended_at()))
            .flatten(),
    }
}
