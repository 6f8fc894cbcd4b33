//! Tests of the callback URL of a job, to which docferry sends a notification when the job ends.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{build_request, initiate_routes, send};
use docferry_app::ports::{BatchStore as _, TransferStore as _};
use docferry_domain::callback::CallbackRule;
use docferry_testkit::World;
use docferry_testkit::builders::document_record;
use http::StatusCode;
use serde_json::{Value, json};

/// Number of the only document.
const FILE_ID: u64 = 12_345;
/// Valid callback URL with a secret in its query.
const CALLBACK_URL: &str = "https://hooks.docferry.example/ended?key=secret";

/// Creates a world with one document.
fn world() -> World {
    let world = World::default();
    world.registry().insert(document_record(FILE_ID));
    world
}

async fn post_job(world: &World, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = build_request("POST", &format!("/v1/download/{path}"), body.to_string());
    let (response, response_body) = send(initiate_routes(world), request).await;
    (response.status(), response_body)
}

#[tokio::test]
async fn forbidden_callback_url_is_rejected_before_the_job_is_recorded() {
    let world = world();
    for url in [
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
        "http://hooks.docferry.example/",
        "https://user:secret@hooks.docferry.example/",
        "https://hooks.docferry.example/#ended",
        "ended",
    ] {
        for path in ["initiate", "start"] {
            let body = json!({ "file_id": FILE_ID, "callbackUrl": url });
            let (code, problem) = post_job(&world, path, &body).await;
            assert_eq!(code, StatusCode::BAD_REQUEST, "{url}: {problem}");
            assert_eq!(problem["errors"][0]["pointer"], "/callbackUrl", "{url}");
            assert!(!problem.to_string().contains("secret"), "{problem}");
        }
    }
    assert!(world.store().transfers().is_empty());
}

#[tokio::test]
async fn callback_url_is_stored_with_the_job_and_not_with_its_documents() {
    let world = world();
    let is_retained = |callback: Option<docferry_domain::callback::CallbackUrl>| {
        callback.is_some_and(|url| url.open(CallbackRule::Public).unwrap().as_str() == CALLBACK_URL)
    };
    for path in ["initiate", "start"] {
        let body = json!({ "file_id": FILE_ID, "callbackUrl": CALLBACK_URL });
        let (code, accepted) = post_job(&world, path, &body).await;
        assert_eq!(code, StatusCode::ACCEPTED, "{accepted}");
        let id = accepted["jobId"].as_str().unwrap().parse().unwrap();
        assert!(
            is_retained(world.store().get(&id).await.unwrap().unwrap().spec.callback),
            "{path}"
        );
    }

    let body = json!({ "file_ids": [FILE_ID], "callbackUrl": CALLBACK_URL });
    let (_, accepted) = post_job(&world, "initiate", &body).await;
    let id = accepted["jobId"].as_str().unwrap().parse().unwrap();
    let (batch, _, documents) = world.store().batch_with_documents(&id, 10).await.unwrap().unwrap();
    assert!(is_retained(batch.spec.callback));
    assert!(documents.iter().all(|document| document.spec.callback.is_none()));
}

#[tokio::test]
async fn different_callback_url_with_the_same_key_is_rejected() {
    let world = world();
    let body =
        |hook: &str| json!({ "file_id": FILE_ID, "callbackUrl": hook, "clientRequestId": "k" });
    let (code, first) = post_job(&world, "initiate", &body(CALLBACK_URL)).await;
    assert_eq!(code, StatusCode::ACCEPTED);
    assert_eq!(
        post_job(&world, "initiate", &body(CALLBACK_URL)).await,
        (StatusCode::ACCEPTED, first)
    );
    let (code, problem) =
        post_job(&world, "initiate", &body("https://other.docferry.example/")).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "REQUEST_NAME_REUSED");
}
