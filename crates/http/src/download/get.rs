//! `GET /v1/download/{jobId}`, which fetches the result of a completed job: it redirects to the
//! delivered document, or lists the documents of a batch job.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use docferry_app::audit::{AuditedRequest, denied_document};
use docferry_app::job::{FetchableArtifact, Job};
use docferry_app::ports::{Clock as _, PresignedUrl, ReadAdapters};
use docferry_contract::job::{DeliveredDocument, DeliveryPlace, DocumentKey, JobResults};
use docferry_domain::job::JobState;
use docferry_domain::transfer::{Delivery, Transfer};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret as _;

use super::job_response::{self, ProgressLevel};
use super::shared::{JobApi, find_job, job_documents, presign, record_urls};
use crate::audit::{Audited, record_denial};
use crate::error::ApiError;
use crate::middleware::{Principal, Reader, with_common_parts};

/// Router of `GET /v1/download/{jobId}`.
pub fn download_router<P: ReadAdapters>(api: JobApi<P>) -> Router {
    let routes =
        Router::new().route("/v1/download/{jobId}", get(fetch::<P>)).with_state(Arc::new(api));
    with_common_parts(routes)
}

async fn fetch<P: ReadAdapters>(
    State(api): State<Arc<JobApi<P>>>,
    Reader(caller): Reader,
    Audited(audited): Audited,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (id, job) = find_job(&api, &caller, id).await?;
    let now = api.clock.now();
    let response = match job.state(now) {
        JobState::Expired => return Err(ApiError::Gone),
        JobState::Completed => {
            let documents = receivable_documents(&api, &caller, &audited, &job).await?;
            let response = match job.artifact() {
                None => Json(results(&api, &documents).await?).into_response(),
                Some(artifact) => {
                    let url = presign(&api, artifact).await?;
                    if wants_json(&headers) { json_with_url(&url) } else { redirect_to(&url) }
                }
            };
            record_urls(&api, &audited, &id, &documents_with_url(&documents)).await?;
            response
        }
        _ => {
            let status = job_response::job_status(&job, &id, now, ProgressLevel::Plain, None);
            return Err(ApiError::NotCompleted(Box::new(status)));
        }
    };
    // The response is a redirect or JSON, depending on these request headers. So a cache must not
    // reuse it for other values of them.
    let vary = [(header::VARY, HeaderValue::from_static("Accept, Sec-Fetch-Mode"))];
    Ok((vary, response).into_response())
}

/// Returns the delivered documents of a job that the caller may still receive. Records a denial for
/// each delivered document that the caller may no longer receive. Fails with [`ApiError::NotFound`]
/// if no document remains.
async fn receivable_documents<'a, P: ReadAdapters>(
    api: &JobApi<P>,
    caller: &Principal,
    audited: &AuditedRequest,
    job: &'a Job,
) -> Result<Vec<&'a Transfer>, ApiError> {
    let documents = job_documents(api, caller, job).await?;
    let hidden = documents.hidden(job.delivered());
    let requested = hidden.iter().map(denied_document);
    record_denial(&api.audit, caller, audited, requested, api.clock.now()).await?;
    let receivable: Vec<_> =
        job.delivered().filter(|document| documents.may_receive(document)).collect();
    if receivable.is_empty() { Err(ApiError::NotFound) } else { Ok(receivable) }
}

/// Returns the documents in the delivery bucket, each with the key of its object. Only they get a
/// presigned URL.
fn documents_with_url<'a>(documents: &[&'a Transfer]) -> Vec<(&'a Transfer, &'a str)> {
    let with_object_key = |document: &&'a Transfer| {
        let fetchable = FetchableArtifact::of(document)?;
        Some((*document, fetchable.artifact.key.as_str()))
    };
    documents.iter().filter_map(with_object_key).collect()
}

/// Returns a JSON response that contains the URL.
fn json_with_url(url: &PresignedUrl) -> Response {
    Json(job_response::job_result(url)).into_response()
}

/// Returns a redirect to the URL.
fn redirect_to(url: &PresignedUrl) -> Response {
    let location = [(header::LOCATION, url.url.expose_secret().to_owned())];
    (StatusCode::FOUND, location).into_response()
}

/// Returns the list of delivered documents, each with its download URL or its web address in
/// OneDrive.
async fn results<P: ReadAdapters>(
    api: &JobApi<P>,
    documents: &[&Transfer],
) -> Result<JobResults, ApiError> {
    let mut items = Vec::new();
    for document in documents {
        let place = match (FetchableArtifact::of(document), &document.delivery) {
            (Some(artifact), _) => {
                DeliveryPlace::Download(job_response::job_result(&presign(api, artifact).await?))
            }
            (None, Some(Delivery::Onedrive(item))) => {
                DeliveryPlace::Onedrive { web_url: item.web_url.clone() }
            }
            (None, _) => continue,
        };
        let name = match document.file_id {
            Some(file_id) => DocumentKey::FileId(file_id),
            None => DocumentKey::ObjectGuid(document.object_guid.as_str().to_owned()),
        };
        items.push(DeliveredDocument { name, place });
    }
    Ok(JobResults { items })
}

/// Returns whether the response must be JSON instead of a redirect. This is the case if `Accept`
/// prefers JSON, or if a script of a web page sent the request.
///
/// A script cannot use the redirect for two reasons. The browser would send the header
/// `Authorization` on to S3, which refuses it. It would also replace the origin of the request by
/// `null`.
fn wants_json(headers: &HeaderMap) -> bool {
    let mode = headers.get("sec-fetch-mode");
    mode.is_some_and(|mode| mode != "navigate") || prefers_json(headers)
}

/// Returns whether `Accept` names `application/json` and no media type with a higher weight.
fn prefers_json(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let (mut json_weight, mut max_other_weight) = (0.0_f32, 0.0_f32);
    for media_range in lines.flat_map(|line| line.split(',')) {
        let mut parts = media_range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), parse_weight);
        let Some(weight) = weight else { continue };
        let is_json = media_type.eq_ignore_ascii_case("application/json");
        let max_weight = if is_json { &mut json_weight } else { &mut max_other_weight };
        *max_weight = max_weight.max(weight);
    }
    json_weight > 0.0 && json_weight >= max_other_weight
}

/// Parses the weight of a media type. Returns `None` if it is not a number from 0 to 1.
fn parse_weight(text: &str) -> Option<f32> {
    text.parse().ok().filter(|weight| (0.0..=1.0).contains(weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_scripts_get_json_and_browsers_get_a_redirect() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, mode, expected) in [
            (None, None, false),
            (Some("*/*"), None, false),
            (Some(browser), None, false),
            (Some(browser), Some("navigate"), false),
            (Some("application/json"), None, true),
            (Some("application/json"), Some("navigate"), true),
            (Some("Application/JSON; charset=utf-8"), None, true),
            (Some("application/json, text/plain, */*"), None, true),
            (Some("text/html, application/json;q=0.9"), None, false),
            (Some("text/html;q=0.5, application/json;q=0.9"), None, true),
            (Some("application/json;q=0"), None, false),
            (Some("application/json;q=much"), None, false),
            (Some("application/jsonp"), None, false),
            (Some("*/*"), Some("cors"), true),
            (None, Some("same-origin"), true),
            (None, Some("no-cors"), true),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("accept", accept), ("sec-fetch-mode", mode)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }

            assert_eq!(wants_json(&headers), expected, "{accept:?} {mode:?}");
        }
    }
}
