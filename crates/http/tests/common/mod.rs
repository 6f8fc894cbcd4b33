//! Helpers of all tests of the HTTP API: routers whose adapters are an in-memory [`World`], and
//! requests to these routers.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test binary uses a part of the helpers"
)]

pub(crate) mod documents;
pub(crate) mod events;
pub(crate) mod jobs;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use axum::Router;
use axum::body::Body;
use docferry_app::job::JobSettings;
use docferry_app::job::retry::RetrySettings;
use docferry_app::transfer::create::InitiateSettings;
use docferry_contract::scope::{Scope, Scopes};
use docferry_domain::callback::CallbackRule;
use docferry_http::{
    DownloadApi, JobApi, Principal, StreamMode, TransferApi, control_router, download_router,
    initiate_router, status_router, subscribe_router,
};
use docferry_openapi::{ApiResponse, Description};
use docferry_testkit::{LIMITS, World};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use serde_json::Value;
use tower::ServiceExt as _;

/// Dependencies of routers that create or change transfers.
pub(crate) fn transfer_api(world: &World) -> TransferApi<World> {
    TransferApi {
        store: world.clone(),
        workflow: world.clone(),
        clock: world.clone(),
        record_ttl: RECORD_TTL,
        limits: LIMITS.into(),
        drain: false,
    }
}

/// Time for which records of ended transfers are retained.
const RECORD_TTL: SignedDuration = SignedDuration::from_hours(168);

pub(crate) const JOB_SETTINGS: JobSettings = JobSettings {
    initiate: InitiateSettings {
        transfer_deadline: SignedDuration::from_hours(4),
        record_ttl: RECORD_TTL,
    },
    job_ttl: SignedDuration::from_hours(24),
};

/// Routes of cancel, retry and terminate.
pub(crate) fn control_routes(world: &World) -> Router {
    control_routes_with(world, transfer_api(world))
}

/// Routes of cancel, retry and terminate, with these dependencies.
pub(crate) fn control_routes_with(world: &World, api: TransferApi<World>) -> Router {
    control_router(
        api,
        world.clone(),
        world.clone(),
        RetrySettings { job: JOB_SETTINGS, max_retries: 2 },
    )
}

/// Range of valid document numbers.
const FILE_ID_RANGE: RangeInclusive<u64> = 10_000..=100_000_000;

/// Routes that create jobs and transfers.
pub(crate) fn initiate_routes(world: &World) -> Router {
    initiate_routes_with(world, transfer_api(world))
}

/// Routes that create jobs and transfers, with these dependencies.
pub(crate) fn initiate_routes_with(world: &World, api: TransferApi<World>) -> Router {
    initiate_router(DownloadApi {
        transfers: api,
        registry: world.clone(),
        audit: world.clone(),
        directory: world.clone(),
        settings: JOB_SETTINGS,
        range: FILE_ID_RANGE,
        callbacks: CallbackRule::Public,
    })
}

/// Dependencies of routers that read jobs.
pub(crate) fn job_api(world: &World) -> JobApi<World> {
    JobApi {
        store: world.clone(),
        clock: world.clone(),
        presigner: world.clone(),
        registry: world.clone(),
        audit: world.clone(),
        record_ttl: RECORD_TTL,
        url_ttl: SignedDuration::from_mins(15),
    }
}

/// Routes of status, history, check and health.
pub(crate) fn status_routes(world: &World) -> Router {
    status_router(job_api(world), FILE_ID_RANGE)
}

/// Route that redirects to the file of a completed job.
pub(crate) fn download_routes(world: &World) -> Router {
    download_router(job_api(world))
}

/// Route of event streams.
pub(crate) fn subscribe_routes(world: &World, mode: StreamMode) -> Router {
    subscribe_router(job_api(world), mode)
}

/// Request of the service account `scv`.
pub(crate) fn build_request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap();
    request.extensions_mut().insert(caller("scv", Scope::Service.into()));
    request
}

/// Authenticated caller with these scopes.
pub(crate) fn caller(id: &str, scopes: Scopes) -> Principal {
    Principal { id: id.into(), scopes, graph_user: None, claims: BTreeSet::new() }
}

/// Sends a request, and checks that the response conforms to `openapi.yaml`. Returns the headers
/// and the body: JSON, or text as a JSON string.
pub(crate) async fn send(router: Router, request: Request<Body>) -> (Response<()>, Value) {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let api_response = ApiResponse {
        method: method.as_str(),
        path: uri.path(),
        status: parts.status,
        headers: &parts.headers,
        body: &bytes,
    };
    let violations = Description::of_project().unwrap().violations(&api_response);
    assert!(
        violations.is_empty(),
        "the response does not conform to openapi.yaml:\n{}",
        violations.join("\n")
    );
    let value = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (Response::from_parts(parts, ()), value)
}
