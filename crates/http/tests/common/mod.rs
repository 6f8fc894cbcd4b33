//! Routers of the API over an in-memory [`World`], and requests to them.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test binary uses a part of the helpers"
)]

pub(crate) mod events;

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use docferry_app::job::JobSettings;
use docferry_app::transfer::create::InitiateSettings;
use docferry_contract::scope::{Scope, Scopes};
use docferry_domain::callback::CallbackRule;
use docferry_http::{
    DownloadApi, JobApi, Principal, RetrySettings, StreamMode, TransferApi, control_router,
    download_router, initiate_router, status_router, subscribe_router,
};
use docferry_openapi::{Answer, Description};
use docferry_testkit::{LIMITS, World};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use serde_json::Value;
use tower::ServiceExt as _;

/// Dependencies of routers that create or change transfers.
pub(crate) fn api(world: &World) -> TransferApi<World, World, World> {
    TransferApi {
        store: world.clone(),
        workflow: world.clone(),
        clock: world.clone(),
        record_ttl: SignedDuration::from_hours(168),
        limits: LIMITS.into(),
        drain: false,
    }
}

const JOBS: JobSettings = JobSettings {
    initiate: InitiateSettings {
        transfer_deadline: SignedDuration::from_hours(4),
        record_ttl: SignedDuration::from_hours(168),
    },
    job_ttl: SignedDuration::from_hours(24),
};

pub(crate) fn control_routes(world: &World) -> Router {
    control_routes_with(api(world))
}

pub(crate) fn control_routes_with(api: TransferApi<World, World, World>) -> Router {
    control_router(api, RetrySettings { job: JOBS, max_retries: 2 })
}

/// Range of valid document numbers.
const RANGE: RangeInclusive<u64> = 10_000..=100_000_000;

pub(crate) fn initiate(world: &World) -> Router {
    initiate_routes_with(world, api(world))
}

pub(crate) fn initiate_routes_with(world: &World, api: TransferApi<World, World, World>) -> Router {
    let transfers = Arc::new(api);
    initiate_router(DownloadApi {
        transfers,
        index: world.clone(),
        directory: world.clone(),
        settings: JOBS,
        range: RANGE,
        callbacks: CallbackRule::Public,
    })
}

pub(crate) fn jobs(world: &World) -> JobApi<World, World, World> {
    JobApi {
        store: world.clone(),
        clock: world.clone(),
        presigner: world.clone(),
        record_ttl: SignedDuration::from_hours(168),
        url_ttl: SignedDuration::from_mins(15),
    }
}

pub(crate) fn reads(world: &World) -> Router {
    status_router(jobs(world), world.clone(), RANGE)
}

pub(crate) fn fetches(world: &World) -> Router {
    download_router(jobs(world))
}

pub(crate) fn follows(world: &World, mode: StreamMode) -> Router {
    subscribe_router(jobs(world), mode)
}

/// Request of the service account `scv`.
pub(crate) fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap();
    request.extensions_mut().insert(caller("scv", Scope::Service.into()));
    request
}

pub(crate) fn caller(id: &str, scopes: Scopes) -> Principal {
    Principal { id: id.into(), scopes, graph_user: None }
}

/// Sends a request, and checks that the response conforms to `openapi.yaml`. Returns the headers
/// and the body: JSON, or text as a JSON string.
pub(crate) async fn send(router: Router, request: Request<Body>) -> (Response<()>, Value) {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let answer = Answer {
        method: method.as_str(),
        path: uri.path(),
        status: parts.status,
        headers: &parts.headers,
        body: &bytes,
    };
    let complaints = Description::of_project().unwrap().complaints(&answer);
    assert!(
        complaints.is_empty(),
        "the response does not conform to openapi.yaml:\n{}",
        complaints.join("\n")
    );
    let value = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (Response::from_parts(parts, ()), value)
}
