//! Tests of `GET /DocumentReference/{id}/$content`.

use docferry_app::ports::RegistryWriter as _;
use docferry_domain::document::DocumentKey;
use docferry_testkit::{Runner, World};
use http::StatusCode;
use jiff::SignedDuration;

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::common::{download_routes, send, status_routes};
use crate::support::{
    CountingRegistry, ada, content, draining_routes, get, of_subject, routes, service,
};

/// Id and subject of the first document.
const DOCUMENT: &str = "doc-12345";
const SUBJECT: &str = "S-12345";

fn registry() -> CountingRegistry {
    assert!(DOCUMENT.ends_with(&FIRST_FILE_ID.to_string()));
    CountingRegistry::new(&world_with_documents(1))
}

#[tokio::test(start_paused = true)]
async fn content_is_accepted_and_then_redirects_to_the_download() {
    let (registry, ada) = (registry(), ada([of_subject(SUBJECT)]));
    let (response, status_path) = content(routes(&registry), &ada, DOCUMENT).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["retry-after"], "1");
    let status_path = status_path.unwrap();
    let (response, status) = send(status_routes(&registry.world), get(&ada, &status_path)).await;
    assert_eq!((response.status(), &status["status"]), (StatusCode::OK, &"queued".into()));

    // The same caller finds the same job.
    assert_eq!(content(routes(&registry), &ada, DOCUMENT).await.1.as_ref(), Some(&status_path));
    Runner::new(&registry.world).run_all().await;
    let (response, download_path) = content(routes(&registry), &ada, DOCUMENT).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    let download_path = download_path.unwrap();
    assert_eq!(download_path, status_path.replace("/status/", "/"));
    let download = get(&ada, &download_path);
    let (response, _) = send(download_routes(&registry.world), download).await;
    assert_eq!(response.status(), StatusCode::FOUND);
}

#[tokio::test(start_paused = true)]
async fn each_caller_has_a_job_of_its_own() {
    let registry = registry();
    let (_, first) = content(routes(&registry), &ada([of_subject(SUBJECT)]), DOCUMENT).await;
    let (_, second) = content(routes(&registry), &service(), DOCUMENT).await;
    assert!(first.is_some() && second.is_some());
    assert_ne!(first, second);
}

#[tokio::test(start_paused = true)]
async fn failed_or_expired_job_is_replaced() {
    let registry = registry();
    let documents = std::mem::take(&mut registry.world.state().documents);
    let (_, failed) = content(routes(&registry), &service(), DOCUMENT).await;
    Runner::new(&registry.world).run_all().await;
    registry.world.state().documents = documents;

    let (response, second) = content(routes(&registry), &service(), DOCUMENT).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_ne!(failed, second);
    Runner::new(&registry.world).run_all().await;
    let (response, _) = content(routes(&registry), &service(), DOCUMENT).await;
    assert_eq!(response.status(), StatusCode::FOUND);

    registry.world.advance(SignedDuration::from_hours(25));
    let (response, third) = content(routes(&registry), &service(), DOCUMENT).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_ne!(second, third);
}

#[tokio::test(start_paused = true)]
async fn drain_mode_returns_existing_jobs_only() {
    let registry = registry();
    let (response, _) = content(draining_routes(&registry), &service(), DOCUMENT).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let (_, job) = content(routes(&registry), &service(), DOCUMENT).await;
    assert_eq!(content(draining_routes(&registry), &service(), DOCUMENT).await.1, job);
}

#[tokio::test(start_paused = true)]
async fn hidden_document_has_no_content_and_starts_no_job() {
    let registry = registry();
    let caller = ada([of_subject(SUBJECT)]);
    for id in [DOCUMENT, "doc-9", "a_b"] {
        let (response, location) = content(routes(&registry), &ada([]), id).await;
        assert_eq!((response.status(), location), (StatusCode::NOT_FOUND, None));
    }
    assert!(Runner::new(&registry.world).started().is_empty());

    // After a withdrawal, not even the finished job is found.
    content(routes(&registry), &caller, DOCUMENT).await;
    Runner::new(&registry.world).run_all().await;
    withdraw(&registry.world).await;
    let (response, location) = content(routes(&registry), &caller, DOCUMENT).await;
    assert_eq!((response.status(), location), (StatusCode::NOT_FOUND, None));
}

async fn withdraw(world: &World) {
    let key = DocumentKey::Id(DOCUMENT.parse().unwrap());
    let now = docferry_app::ports::Clock::now(world);
    world.registry().withdraw(&key, now).await.unwrap().unwrap();
}
