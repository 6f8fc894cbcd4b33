//! Idempotent requests, retries, lists of jobs, and drain mode.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::{
    api, caller, control_routes, control_routes_with, initiate, initiate_routes_with, reads,
    request, send,
};
use docferry_app::ports::{BatchStore as _, IndexedDocument};
use docferry_contract::scope::Scopes;
use docferry_domain::ids::FileId;
use docferry_domain::phase::Phase;
use docferry_http::TransferApi;
use docferry_testkit::{Runner, World};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

const FILE: u64 = 12_345;

fn world(documents: u64) -> World {
    let world = World::default();
    for n in 0..documents {
        let guid = format!("{n:06}AA");
        world.add_document(&guid, &format!("order {n}.pdf"), vec![7; 10_000]);
        let object_guid = guid.parse().unwrap();
        let document = IndexedDocument { object_guid, name: None, size: None };
        world.state().index.insert(FileId::new(FILE + n), document);
    }
    world
}

async fn post_job(world: &World, key: Option<&str>, body: &Value) -> (StatusCode, Value) {
    let mut req = request("POST", "/v1/download/initiate", body.to_string());
    if let Some(key) = key {
        req.headers_mut().insert("idempotency-key", key.parse().unwrap());
    }
    let (response, answer) = send(initiate(world), req).await;
    (response.status(), answer)
}

async fn retry(world: &World, id: &str) -> (StatusCode, Value) {
    let req = request("POST", &format!("/v1/download/retry/{id}"), "");
    let (response, answer) = send(control_routes(world), req).await;
    if response.status() == StatusCode::ACCEPTED {
        assert_eq!(response.headers()["location"], format!("../status/{id}"));
        assert_eq!(response.headers()["retry-after"], "1");
    }
    (response.status(), answer)
}

async fn status(world: &World, id: &str) -> Value {
    let path = format!("/v1/download/status/{id}");
    send(reads(world), request("GET", &path, "")).await.1
}

async fn list(world: &World, query: &str, as_caller: Option<(&str, &str)>) -> (StatusCode, Value) {
    let mut req = request("GET", &format!("/v1/download/{query}"), "");
    if let Some((id, scopes)) = as_caller {
        req.extensions_mut().insert(caller(id, Scopes::parse(scopes)));
    }
    let (response, answer) = send(reads(world), req).await;
    (response.status(), answer)
}

fn ids(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap();
    items.iter().map(|item| item["jobId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn repeated_request_with_one_idempotency_key_makes_one_job() {
    let world = world(2);
    for body in [json!({ "file_id": FILE }), json!({ "file_ids": [FILE, FILE + 1] })] {
        let key = format!("key {}", body.to_string().len());
        let (code, first) = post_job(&world, Some(&key), &body).await;
        assert_eq!(code, StatusCode::ACCEPTED, "{first}");
        let transfers = world.store().transfers().len();
        world.advance(SignedDuration::from_hours(1));
        let mut by_body = body.clone();
        by_body["clientRequestId"] = json!(key);
        for (key, body) in [(Some(key.as_str()), &body), (None, &by_body)] {
            assert_eq!(post_job(&world, key, body).await, (StatusCode::ACCEPTED, first.clone()));
        }
        assert_eq!(
            world.store().transfers().len(),
            transfers,
            "the repeated request records nothing"
        );
        let other = json!({ "file_id": FILE + 1, "priority": "high" });
        let (code, problem) = post_job(&world, Some(&key), &other).await;
        assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem["code"], "REQUEST_NAME_REUSED");
    }
    // An idempotency key expires with its job.
    let (_, before) = post_job(&world, Some("daily"), &json!({ "file_id": FILE })).await;
    world.advance(SignedDuration::from_hours(25));
    let (code, after) = post_job(&world, Some("daily"), &json!({ "file_id": FILE + 1 })).await;
    assert_eq!(code, StatusCode::ACCEPTED);
    assert_ne!(before["jobId"], after["jobId"]);
}

#[tokio::test]
async fn repeated_request_returns_the_first_response_after_its_documents_left_the_index() {
    let world = world(2);
    for body in [json!({ "file_id": FILE }), json!({ "file_ids": [FILE, FILE + 1] })] {
        let key = format!("key {}", body.to_string().len());
        let first = post_job(&world, Some(&key), &body).await;
        let index = std::mem::take(&mut world.state().index);
        assert_eq!(post_job(&world, Some(&key), &body).await, first);
        let other = json!({ "file_id": FILE, "priority": "high" });
        let (code, _) = post_job(&world, Some(&key), &other).await;
        assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
        for key in [None, Some("new")] {
            let (code, problem) = post_job(&world, key, &body).await;
            assert_eq!(code, StatusCode::BAD_REQUEST, "{problem}");
        }
        world.state().index = index;
    }
}

#[tokio::test]
async fn request_repeated_while_the_first_is_being_recorded_gets_a_conflict() {
    let world = world(2);
    let body = json!({ "file_ids": [FILE, FILE + 1] });
    let (_, first) = post_job(&world, Some("k"), &body).await;
    let id = first["jobId"].as_str().unwrap().parse().unwrap();
    let (bundle, _) = world.store().bundle(&id).await.unwrap().unwrap();
    // State between writing the record of the batch and that of its last document.
    world
        .store()
        .set_bundle(docferry_domain::job::Batch { phase: Phase::Accepted, ..bundle.clone() });
    let (code, problem) = post_job(&world, Some("k"), &body).await;
    assert_eq!((code, &problem["retryable"]), (StatusCode::CONFLICT, &json!(true)));
    // The process that recorded the batch died, and the batch was abandoned: the key is free again.
    world.store().set_bundle(docferry_domain::job::Batch { phase: Phase::Failed, ..bundle });
    let (code, second) = post_job(&world, Some("k"), &body).await;
    assert_eq!(code, StatusCode::ACCEPTED);
    assert_ne!(first["jobId"], second["jobId"]);
}

#[tokio::test(start_paused = true)]
async fn failed_job_can_be_retried_up_to_the_retry_limit() {
    let world = world(1);
    let documents = std::mem::take(&mut world.state().documents);
    let (_, accepted) = post_job(&world, None, &json!({ "file_id": FILE })).await;
    let id = accepted["jobId"].as_str().unwrap();
    assert_eq!(retry(&world, id).await.0, StatusCode::CONFLICT, "the job has not ended");
    Runner::new(&world).run_all().await;
    assert_eq!(status(&world, id).await["status"], "failed");

    let (code, retried) = retry(&world, id).await;
    assert_eq!((code, &retried["attempts"]), (StatusCode::ACCEPTED, &json!(2)));
    let queued = status(&world, id).await;
    assert_eq!((&queued["status"], &queued["progress"]), (&json!("queued"), &json!(0)));
    assert_eq!((&queued["error"], &queued["attempts"]), (&Value::Null, &json!(2)));
    Runner::new(&world).run_all().await;
    assert_eq!(status(&world, id).await["status"], "failed");
    world.state().documents = documents;
    assert_eq!(retry(&world, id).await.0, StatusCode::ACCEPTED);
    Runner::new(&world).run_all().await;
    let done = status(&world, id).await;
    assert_eq!((&done["status"], &done["attempts"]), (&json!("completed"), &json!(3)));
    assert_eq!(retry(&world, id).await.0, StatusCode::CONFLICT, "the job is completed");
    world.advance(SignedDuration::from_hours(25));
    assert_eq!(status(&world, id).await["status"], "expired");
    assert_eq!(retry(&world, id).await.0, StatusCode::CONFLICT, "all retries are used");
    assert_eq!(retry(&world, "unknown").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn retried_batch_keeps_delivered_documents_and_reruns_the_rest() {
    let world = world(3);
    let missing = world.state().documents.remove("000001AA").unwrap();
    let files = [FILE, FILE + 1, FILE + 2];
    let mut runner = Runner::new(&world);
    runner.limits = docferry_domain::slots::PoolLimits::new(1, 1).into();
    let body = json!({ "file_ids": files });
    let narrow = TransferApi { limits: runner.limits, ..api(&world) };
    let req = request("POST", "/v1/download/initiate", body.to_string());
    let (_, accepted) = send(initiate_routes_with(&world, narrow), req).await;
    let id = accepted["jobId"].as_str().unwrap();
    runner.run_all().await;
    let failed = status(&world, id).await;
    assert_eq!(failed["status"], "failed");
    let states = |status: &Value| -> Vec<String> {
        let items = status["items"].as_array().unwrap();
        items.iter().map(|item| item["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&failed), ["completed", "failed", "canceled"]);
    let part = failed["items"][1]["jobId"].as_str().unwrap();
    assert_eq!(
        retry(&world, part).await.0,
        StatusCode::CONFLICT,
        "a document of a batch cannot be retried alone"
    );

    let pushes = world.effects().iter().filter(|name| **name == "push").count();
    world.state().documents.insert("000001AA".into(), missing);
    // After 12 hours a delivered artifact is no longer reused for other jobs.
    world.advance(SignedDuration::from_hours(13));
    let (code, retried) = retry(&world, id).await;
    assert_eq!((code, &retried["attempts"]), (StatusCode::ACCEPTED, &json!(2)));
    runner.run_all().await;
    runner.recover(6).await;
    let done = status(&world, id).await;
    assert_eq!((&done["status"], &done["attempts"]), (&json!("completed"), &json!(2)), "{done}");
    assert_eq!(states(&done), ["completed"; 3]);
    let more = world.effects().iter().filter(|name| **name == "push").count() - pushes;
    assert_eq!(more, 2, "the delivered document is not pushed again");
}

#[tokio::test(start_paused = true)]
async fn history_is_paged_filtered_and_limited_to_the_caller() {
    let world = world(3);
    let mut created = Vec::new();
    for n in 0..3 {
        let body = json!({ "file_id": FILE + n });
        created.push(post_job(&world, None, &body).await.1["jobId"].as_str().unwrap().to_owned());
        world.advance(SignedDuration::from_secs(1));
    }
    let (_, many) = post_job(&world, None, &json!({ "file_ids": [FILE, FILE + 1] })).await;
    created.push(many["jobId"].as_str().unwrap().to_owned());
    created.reverse();
    let (code, first) = list(&world, "history?pageSize=3", None).await;
    assert_eq!((code, ids(&first)), (StatusCode::OK, created[..3].to_vec()));
    let job = &first["items"][0];
    assert_eq!((&job["totalFileIds"], &job["attempts"]), (&json!(2), &json!(1)));
    let token = first["nextPageToken"].as_str().unwrap();
    let (_, rest) = list(&world, &format!("history?pageSize=3&pageToken={token}"), None).await;
    assert_eq!((ids(&rest), &rest["nextPageToken"]), (created[3..].to_vec(), &Value::Null));

    // A page token is valid only for the list it belongs to.
    let other = format!("jobs?status=failed&pageSize=3&pageToken={token}");
    assert_eq!(list(&world, &other, None).await.0, StatusCode::BAD_REQUEST);
    let ada = Some(("sub:ada", "docferry.read"));
    let foreign = format!("history?pageSize=3&pageToken={token}");
    assert_eq!(list(&world, &foreign, ada).await.0, StatusCode::BAD_REQUEST);
    let (code, none) = list(&world, "history", ada).await;
    assert_eq!((code, ids(&none).len()), (StatusCode::OK, 0));

    Runner::new(&world).run_all().await;
    let (_, completed) = list(&world, "jobs?status=completed", None).await;
    assert_eq!(ids(&completed), created);
    for state in ["failed", "processing_artifacts"] {
        let (code, none) = list(&world, &format!("jobs?status={state}"), None).await;
        assert_eq!((code, ids(&none).len()), (StatusCode::OK, 0), "{state}");
    }
    for wrong in
        ["jobs?status=done", "history?pageSize=0", "history?pageSize=x", "history?pageSize=101"]
    {
        assert_eq!(list(&world, wrong, None).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

/// All spellings of a person share one slot limit, whether the person or a service makes the
/// request.
#[tokio::test]
async fn all_spellings_of_a_user_id_mean_the_same_person() {
    let world = world(1);
    for (id, user) in [
        ("sub:ada", None),
        ("sub:ada", Some("ada")),
        ("scv", Some("ada")),
        ("scv", Some("sub:ada")),
    ] {
        let body = json!({ "file_id": FILE, "userId": user }).to_string();
        let mut req = request("POST", "/v1/download/initiate", body);
        let scopes = Scopes::parse("docferry.write docferry.delegate");
        req.extensions_mut().insert(caller(id, scopes));
        assert_eq!(send(initiate(&world), req).await.0.status(), StatusCode::ACCEPTED, "{id}");
    }
    let transfers = world.store().transfers();
    let people: BTreeSet<_> = transfers.iter().map(|transfer| transfer.target.person()).collect();
    assert_eq!((transfers.len(), people.len()), (4, 1), "{people:?}");
    for user in ["ada", "sub:ada"] {
        let scv = Some(("scv", "docferry.read docferry.delegate"));
        let (_, of_ada) = list(&world, &format!("history?userId={user}"), scv).await;
        assert_eq!(ids(&of_ada).len(), 2, "{user}");
    }
}

#[tokio::test]
async fn acting_for_another_person_needs_the_delegate_scope() {
    let world = world(1);
    let of = |scopes: &str, user: &str| {
        let body = json!({ "file_id": FILE, "userId": user }).to_string();
        let mut req = request("POST", "/v1/download/initiate", body);
        req.extensions_mut().insert(caller("sub:ada", Scopes::parse(scopes)));
        send(initiate(&world), req)
    };
    let write = "docferry.write";
    assert_eq!(of(write, "ada").await.0.status(), StatusCode::ACCEPTED);
    assert_eq!(of(write, "bob").await.0.status(), StatusCode::FORBIDDEN);
    assert_eq!(of(write, "bob@court.example").await.0.status(), StatusCode::BAD_REQUEST);
    let delegate = "docferry.write docferry.delegate";
    assert_eq!(of(delegate, "bob").await.0.status(), StatusCode::ACCEPTED);
    let ada = |scopes| Some(("sub:ada", scopes));
    let all = list(&world, "history?userId=ada", ada("docferry.read")).await;
    assert_eq!(ids(&all.1).len(), 2, "all jobs that she created, also those on behalf of others");
    let of_bob = list(&world, "history?userId=bob", ada("docferry.read")).await;
    assert_eq!(of_bob.0, StatusCode::FORBIDDEN);
    let scopes = "docferry.read docferry.delegate";
    assert_eq!(ids(&list(&world, "history?userId=bob", ada(scopes)).await.1).len(), 1);
}

#[tokio::test]
async fn drained_service_refuses_new_work_and_finishes_running_jobs() {
    let world = world(1);
    let named = json!({ "file_id": FILE, "clientRequestId": "before" });
    let (_, accepted) = post_job(&world, None, &named).await;
    let drained = || initiate_routes_with(&world, TransferApi { drain: true, ..api(&world) });
    let repeated = request("POST", "/v1/download/initiate", named.to_string());
    let (response, answer) = send(drained(), repeated).await;
    assert_eq!(
        (response.status(), &answer),
        (StatusCode::ACCEPTED, &accepted),
        "the repeated request returns the first response"
    );
    let new = json!({ "file_id": FILE, "clientRequestId": "new" });
    let scv = json!({ "objGuid": "000000AA", "email": "a@b.example" });
    for (path, body) in [
        ("/v1/download/initiate", json!({ "file_id": FILE })),
        ("/v1/download/initiate", new),
        ("/v1/download/start", json!({ "file_id": FILE })),
        ("/document/upload", scv),
    ] {
        let (response, problem) = send(drained(), request("POST", path, body.to_string())).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(response.headers()["retry-after"], "60");
        assert_eq!(problem["code"], "DRAINING");
    }
    assert_eq!(world.store().transfers().len(), 1);
    let id = accepted["jobId"].as_str().unwrap();
    Runner::new(&world).run_all().await;
    assert_eq!(
        status(&world, id).await["status"],
        "completed",
        "running jobs continue in drain mode"
    );

    let (_, stopped) = post_job(&world, None, &json!({ "file_id": FILE })).await;
    let id = stopped["jobId"].as_str().unwrap();
    let drained = || control_routes_with(TransferApi { drain: true, ..api(&world) });
    let call = |action: &str| request("POST", &format!("/v1/download/{action}/{id}"), "");
    assert_eq!(send(drained(), call("cancel")).await.0.status(), StatusCode::ACCEPTED);
    Runner::new(&world).run_all().await;
    let (response, problem) = send(drained(), call("retry")).await;
    assert_eq!(
        (response.status(), &problem["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("DRAINING"))
    );
}
