//! Jobs of the downloads API: creating, watching, fetching and canceling them.

#![allow(clippy::unwrap_used, reason = "test helpers")]

mod common;

use common::{caller, control_routes, fetches, initiate, reads, request, send};
use docferry_app::ports::{Clock as _, IndexedDocument, TransferStore as _};
use docferry_contract::scope::Scopes;
use docferry_domain::ids::FileId;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::Delivery;
use docferry_domain::upload::Checkpoint;
use docferry_domain::upload::Throughput;
use docferry_http::Principal;
use docferry_testkit::builders::{checkpoint, pushed};
use docferry_testkit::{Fault, Mode, Runner, World};
use http::{Response, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

const FILE: u64 = 12_345;

/// Creates a world with documents of 1 MB, numbered from [`FILE`].
fn world(documents: u64) -> World {
    let world = World::default();
    for n in 0..documents {
        let guid = format!("{n:06}AA");
        world.add_document(&guid, &format!("order {n}.pdf"), vec![7; 1_000_000]);
        let document = IndexedDocument {
            object_guid: guid.parse().unwrap(),
            name: Some(format!("order {n}.pdf")),
            size: None,
        };
        world.state().index.insert(FileId::new(FILE + n), document);
    }
    world
}

async fn post_job(world: &World, body: &Value) -> (Response<()>, Value) {
    let request = request("POST", "/v1/download/initiate", body.to_string());
    send(initiate(world), request).await
}

async fn create_job(world: &World, body: &Value) -> String {
    let (response, accepted) = post_job(world, body).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED, "{accepted}");
    accepted["jobId"].as_str().unwrap().to_owned()
}

async fn status(world: &World, id: &str) -> Value {
    let path = format!("/v1/download/status/{id}");
    let (response, status) = send(reads(world), request("GET", &path, "")).await;
    assert_eq!(response.status(), StatusCode::OK, "{status}");
    status
}

async fn fetch(world: &World, id: &str) -> (Response<()>, Value) {
    send(fetches(world), request("GET", &format!("/v1/download/{id}"), "")).await
}

#[tokio::test(start_paused = true)]
async fn accepted_job_can_be_polled_and_its_file_fetched() {
    let world = world(1);
    let (response, accepted) = post_job(&world, &json!({ "file_id": FILE })).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let id = accepted["jobId"].as_str().unwrap();
    assert_eq!(response.headers()["location"], format!("status/{id}"));
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!((&accepted["status"], &accepted["totalFileIds"]), (&json!("queued"), &json!(1)));
    assert_eq!(accepted["expiresAt"], "2023-11-15T22:13:20.000Z");

    let before = status(&world, id).await;
    assert_eq!((&before["progress"], &before["attempts"]), (&json!(0), &json!(1)));
    assert_eq!((&before["url"], &before["error"]), (&Value::Null, &Value::Null));
    let (response, conflict) = fetch(&world, id).await;
    assert_eq!((response.status(), &conflict["jobId"]), (StatusCode::CONFLICT, &json!(id)));
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["retry-after"], "1");
    // In a problem, `status` is the HTTP status (RFC 9457), so the status of the job is
    // `jobStatus`.
    assert_eq!((&conflict["status"], &conflict["code"]), (&json!(409), &json!("NOT_COMPLETED")));
    assert_eq!((&conflict["jobStatus"], &conflict["retryable"]), (&json!("queued"), &json!(true)));
    for member in ["progress", "nextPollInMs", "timestamps", "items"] {
        assert_eq!(conflict[member], before[member], "{member}");
    }

    Runner::new(&world).run_all().await;
    let after = status(&world, id).await;
    assert_eq!((&after["status"], &after["progress"]), (&json!("completed"), &json!(100)));
    assert_eq!((&after["url"], &after["nextPollInMs"]), (&after["result"]["url"], &Value::Null));
    assert!(after["url"].as_str().unwrap().starts_with("https://delivery.example/downloads/"));
    let item = &after["items"][0];
    assert_eq!((&item["file_id"], &item["bytesDone"]), (&json!(FILE), &json!(1_000_000)));

    let (response, _) = fetch(&world, id).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()["location"], after["url"].as_str().unwrap());
    let mut req = request("GET", &format!("/v1/download/{id}"), "");
    req.headers_mut().insert("accept", "application/json".parse().unwrap());
    let (response, result) = send(fetches(&world), req).await;
    assert_eq!((response.status(), &result["url"]), (StatusCode::OK, &after["url"]));
    for (mode, status) in [("cors", StatusCode::OK), ("navigate", StatusCode::FOUND)] {
        let mut req = request("GET", &format!("/v1/download/{id}"), "");
        req.headers_mut().insert("sec-fetch-mode", mode.parse().unwrap());
        let (response, _) = send(fetches(&world), req).await;
        assert_eq!(response.status(), status, "{mode}");
        assert_eq!(response.headers()["vary"], "Accept, Sec-Fetch-Mode");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_job_answers_a_fetch_with_its_status_as_a_problem() {
    let world = world(1);
    world.state().documents.clear();
    let id = create_job(&world, &json!({ "file_id": FILE })).await;
    Runner::new(&world).run_all().await;
    let (response, problem) = fetch(&world, &id).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!((&problem["jobStatus"], &problem["retryable"]), (&json!("failed"), &json!(false)));
    assert_eq!(problem["error"]["code"], "SOURCE_NOT_FOUND");
    assert!(!response.headers().contains_key("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn completed_onedrive_jobs_answer_a_fetch_with_web_urls() {
    let world = world(2);
    let options = json!({ "destination": "onedrive", "email": "a@b.example" });
    let one = create_job(&world, &json!({ "file_id": FILE, "options": options })).await;
    let many =
        create_job(&world, &json!({ "file_ids": [FILE, FILE + 1], "options": options })).await;
    let runner = Runner::new(&world);
    runner.run_all().await;
    runner.recover(2).await;
    for (id, files) in [(&one, vec![FILE]), (&many, vec![FILE, FILE + 1])] {
        let (response, result) = fetch(&world, id).await;
        assert_eq!(response.status(), StatusCode::OK, "{result}");
        let items = result["items"].as_array().unwrap();
        let found: Vec<_> = items.iter().map(|item| item["file_id"].as_u64().unwrap()).collect();
        assert_eq!(found, files);
        for item in items {
            assert!(item["webUrl"].as_str().unwrap().starts_with("https://drive.example/"));
        }
    }
    // A record of an older version without webUrl, requested by GUID.
    let mut old = world.store().get(&one.parse().unwrap()).await.unwrap().unwrap();
    let Some(Delivery::Onedrive(item)) = &mut old.delivery else { unreachable!() };
    item.web_url = None;
    old.file_id = None;
    world.store().set(old);
    let (_, result) = fetch(&world, &one).await;
    assert_eq!(result, json!({ "items": [{ "objGuid": "000000AA", "webUrl": null }] }));
}

#[tokio::test(start_paused = true)]
async fn detailed_progress_contains_bytes_and_phase() {
    let world = world(1);
    let id = create_job(&world, &json!({ "file_id": FILE })).await;
    Runner::new(&world).run_all().await;
    let path = format!("/v1/download/status/{id}?progress=detail");
    let (_, status) = send(reads(&world), request("GET", &path, "")).await;
    let expected = json!({
        "percent": 100, "bytesDone": 1_000_000, "bytesTotal": 1_000_000,
        "bytesPerSecond": null, "phase": "completed"
    });
    assert_eq!(status["progress"], expected);
    let path = format!("/v1/download/status/{id}?progress=much");
    let (response, _) = send(reads(&world), request("GET", &path, "")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn status_shows_tries_and_the_last_transient_error() {
    let world = world(1);
    let id = create_job(&world, &json!({ "file_id": FILE })).await;
    let queued = status(&world, &id).await;
    assert_eq!((&queued["tries"], &queued["lastTransientError"]), (&json!(1), &Value::Null));
    let first = world.effects().len();
    let runner = Runner::new(&world);
    runner.run_all().await;
    let pushed_at = world.effects()[first..].iter().position(|effect| *effect == "push");
    assert_eq!(status(&world, &id).await["lastTransientError"], Value::Null, "there was no error");

    let world = self::world(1);
    let id = create_job(&world, &json!({ "file_id": FILE })).await;
    let first = world.effects().len();
    let at = first + pushed_at.unwrap();
    world.inject(Fault { at, mode: Mode::ResponseLost });
    Runner::new(&world).run_all().await;
    let ended = status(&world, &id).await;
    assert_eq!((&ended["status"], &ended["attempts"]), (&json!("completed"), &json!(1)));
    assert_eq!(ended["tries"], 2, "the tries of the step with the most tries");
    assert_eq!(ended["lastTransientError"]["code"], "SOURCE_UNAVAILABLE");
    assert!(ended["lastTransientError"]["at"].is_string());
}

#[tokio::test]
async fn eta_counts_down_between_checkpoints() {
    let world = world(1);
    let id = create_job(&world, &json!({ "file_id": FILE })).await;
    let mut moving = world.store().transfers().remove(0);
    let (size, speed) = (100_000_000, 1_000_000);
    moving.phase = Phase::Uploading;
    moving.source = Some(pushed("order 0.pdf", size));
    moving.bytes_done = size / 2;
    let pace = Throughput { at: world.now(), bytes: size / 2, per_second: Some(speed) };
    moving.checkpoint = Some(Checkpoint { pace: Some(pace), ..checkpoint(size / 2) });
    world.store().set(moving);
    let mut seen = Vec::new();
    for seconds in [0, 10, 15, 30, 10] {
        world.advance(SignedDuration::from_secs(seconds));
        seen.push(status(&world, &id).await["etaSeconds"].clone());
    }
    // The last measurement is then too old for an estimate.
    assert_eq!(seen, [json!(50), json!(40), json!(25), json!(1), Value::Null]);
}

#[tokio::test(start_paused = true)]
async fn documents_of_a_batch_can_be_fetched_one_by_one() {
    let world = world(3);
    let files: Vec<_> = (FILE..FILE + 3).collect();
    let id = create_job(&world, &json!({ "file_ids": files, "onItemError": "skip" })).await;
    let runner = Runner::new(&world);
    runner.run_all().await;
    runner.recover(2).await;
    let status = status(&world, &id).await;
    assert_eq!((&status["status"], &status["url"]), (&json!("completed"), &Value::Null));
    let items = status["items"].as_array().unwrap();
    assert_eq!(items.iter().map(|i| i["file_id"].as_u64().unwrap()).collect::<Vec<_>>(), files);
    let (response, _) = fetch(&world, items[2]["jobId"].as_str().unwrap()).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    let (response, results) = fetch(&world, &id).await;
    assert_eq!(response.status(), StatusCode::OK);
    let found = results["items"].as_array().unwrap();
    assert_eq!(found.iter().map(|i| i["file_id"].as_u64().unwrap()).collect::<Vec<_>>(), files);
    for item in found {
        assert!(item["url"].as_str().unwrap().starts_with("https://delivery.example/downloads/"));
        assert!(item["expiresAt"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn completed_batch_reports_the_number_of_failed_documents() {
    let world = world(3);
    world.state().documents.remove("000001AA");
    let files: Vec<_> = (FILE..FILE + 3).collect();
    let body = json!({
        "file_ids": files, "onItemError": "skip", "callbackUrl": "https://hooks.example.org/x"
    });
    let id = create_job(&world, &body).await;
    let runner = Runner::new(&world);
    let first = runner.started().remove(0);
    runner.execute(&first).await;
    let running = status(&world, &id).await;
    assert_eq!((&running["progress"], &running["failedItems"]), (&json!(33), &json!(0)));
    let second = runner.started().remove(0);
    runner.execute(&second).await;
    let running = status(&world, &id).await;
    assert_eq!((&running["progress"], &running["failedItems"]), (&json!(33), &json!(1)));
    assert_eq!(running["completedAt"], Value::Null);

    runner.run_all().await;
    runner.notify().await;
    let ended = status(&world, &id).await;
    assert_eq!(
        (&ended["status"], &ended["progress"], &ended["failedItems"]),
        (&json!("completed"), &json!(100), &json!(1))
    );
    assert_eq!(ended["completedAt"], ended["timestamps"]["completedAt"]);
    assert!(ended["completedAt"].is_string());
    let path = "/v1/download/history";
    let (_, history) = send(reads(&world), request("GET", path, "")).await;
    assert_eq!(history["items"][0]["failedItems"], 1);
    let (_, results) = fetch(&world, &id).await;
    let found = results["items"].as_array().unwrap().iter().map(|item| &item["file_id"]);
    assert_eq!(found.collect::<Vec<_>>(), [&json!(FILE), &json!(FILE + 2)]);
    let notices = world.state().notices.clone();
    assert_eq!(notices.iter().map(|n| n.failed_documents).collect::<Vec<_>>(), [Some(1)]);
}

#[tokio::test(start_paused = true)]
async fn completed_job_expires_when_its_retention_ends() {
    let world = world(1);
    let id = create_job(&world, &json!({ "file_id": FILE })).await;
    Runner::new(&world).run_all().await;
    world.advance(SignedDuration::from_hours(24));
    assert_eq!(status(&world, &id).await["status"], "expired");
    let (response, problem) = fetch(&world, &id).await;
    assert_eq!((response.status(), &problem["code"]), (StatusCode::GONE, &json!("EXPIRED")));
    world.advance(SignedDuration::from_hours(200));
    let (response, _) = fetch(&world, &id).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn canceled_job_delivers_nothing_and_cannot_be_canceled_twice() {
    let world = world(1);
    let id = create_job(&world, &json!({ "file_id": FILE })).await;
    let path = format!("/v1/download/cancel/{id}");
    let (response, answer) = send(control_routes(&world), request("POST", &path, "")).await;
    assert_eq!((response.status(), &answer["status"]), (StatusCode::ACCEPTED, &json!("canceling")));
    Runner::new(&world).run_all().await;
    assert_eq!(status(&world, &id).await["status"], "canceled");
    assert!(world.state().delivery.objects.is_empty());
    let (response, _) = send(control_routes(&world), request("POST", &path, "")).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    let path = "/v1/download/cancel/unknown";
    let (response, _) = send(control_routes(&world), request("POST", path, "")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn failed_job_reports_the_failure_code_and_message() {
    let world = world(1);
    world.state().documents.clear();
    let id = create_job(&world, &json!({ "file_id": FILE })).await;
    Runner::new(&world).run_all().await;
    let status = status(&world, &id).await;
    assert_eq!(
        (&status["status"], &status["error"]["code"]),
        (&json!("failed"), &json!("SOURCE_NOT_FOUND"))
    );
    assert!(status["error"]["message"].as_str().unwrap().contains("not found"));
}

#[tokio::test]
async fn unknown_document_numbers_are_rejected_with_their_pointers() {
    let world = world(1);
    let (response, problem) = post_job(&world, &json!({ "file_id": FILE + 1 })).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(problem["errors"][0]["pointer"], "/file_id");
    let (_, problem) = post_job(&world, &json!({ "file_ids": [FILE, FILE + 1, FILE + 2] })).await;
    let places: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
    assert_eq!(places, ["/file_ids/1", "/file_ids/2"]);
    assert!(world.store().transfers().is_empty(), "no transfer is recorded");
}

#[tokio::test]
async fn zip_request_is_answered_with_not_implemented() {
    let body = json!({ "file_ids": [FILE], "options": { "bundle": "zip" } });
    let (response, problem) = post_job(&world(1), &body).await;
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    assert_eq!(problem["code"], "NOT_IMPLEMENTED");
}

#[tokio::test]
async fn deprecated_start_accepts_one_document_and_links_to_initiate() {
    let world = world(1);
    let req = request("POST", "/v1/download/start", json!({ "file_id": FILE }).to_string());
    let (response, _) = send(initiate(&world), req).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert!(response.headers().contains_key("deprecation"));
    assert_eq!(response.headers()["link"], "<initiate>; rel=\"successor-version\"");
    let req = request("POST", "/v1/download/start", json!({ "file_ids": [FILE] }).to_string());
    let (response, _) = send(initiate(&world), req).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn check_reports_whether_a_document_is_available() {
    let world = world(1);
    for (file, available) in [(FILE, true), (FILE + 1, false)] {
        let body = json!({ "file_id": file }).to_string();
        let (response, checked) =
            send(reads(&world), request("POST", "/v1/download/check", body)).await;
        assert_eq!((response.status(), &checked["available"]), (StatusCode::OK, &json!(available)));
        assert_eq!(checked.get("fileName").is_some(), available);
    }
}

/// Microsoft Graph user id of the caller `sub:ada`.
const ADA: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// Requests a delivery to the OneDrive of `email`, as a caller with the scope `docferry.write` and
/// the Graph user id `user`. The Graph user with the address `a@b.example` is [`ADA`]. Returns the
/// status.
async fn request_delivery_to(world: &World, user: Option<&str>, email: &str) -> StatusCode {
    world.state().users.insert("a@b.example".into(), ADA.to_uppercase());
    let options = json!({ "destination": "onedrive", "email": email });
    let body = json!({ "file_id": FILE, "options": options }).to_string();
    let mut req = request("POST", "/v1/download/initiate", body);
    let graph_user = user.map(str::to_owned);
    let ada = Principal { graph_user, ..caller("sub:ada", Scopes::parse("docferry.write")) };
    req.extensions_mut().insert(ada);
    send(initiate(world), req).await.0.status()
}

/// Invariant I10.
#[tokio::test]
async fn missing_scopes_are_rejected_and_foreign_jobs_look_unknown() {
    let world = world(1);
    let id = create_job(&world, &json!({ "file_id": FILE })).await;
    let as_caller = |scopes: &str, method: &str, path: &str, body: &str| {
        let mut req = request(method, path, body.to_owned());
        req.extensions_mut().insert(caller("sub:ada", Scopes::parse(scopes)));
        req
    };
    let body = json!({ "file_id": FILE }).to_string();
    let req = as_caller("docferry.read", "POST", "/v1/download/initiate", &body);
    assert_eq!(send(initiate(&world), req).await.0.status(), StatusCode::FORBIDDEN);
    let req = as_caller("docferry.write", "POST", "/v1/download/initiate", &body);
    assert_eq!(send(initiate(&world), req).await.0.status(), StatusCode::ACCEPTED);
    let to_drive = json!({
        "file_id": FILE, "options": { "destination": "onedrive", "email": "a@b.example" }
    })
    .to_string();
    let req = as_caller("docferry.write", "POST", "/v1/download/initiate", &to_drive);
    assert_eq!(send(initiate(&world), req).await.0.status(), StatusCode::FORBIDDEN);
    assert_eq!(request_delivery_to(&world, Some(ADA), "a@b.example").await, StatusCode::ACCEPTED);
    for other in [Some("another"), None] {
        let refused = request_delivery_to(&world, other, "a@b.example").await;
        assert_eq!(refused, StatusCode::FORBIDDEN);
    }
    // An unknown user gives the same response as another user.
    let unknown = request_delivery_to(&world, Some(ADA), "x@b.example").await;
    assert_eq!(unknown, StatusCode::FORBIDDEN);
    world.state().drive.down = true;
    let unavailable = request_delivery_to(&world, Some(ADA), "a@b.example").await;
    assert_eq!(unavailable, StatusCode::SERVICE_UNAVAILABLE);
    world.state().drive.down = false;
    let scopes = "docferry.write docferry.delegate";
    let req = as_caller(scopes, "POST", "/v1/download/initiate", &to_drive);
    assert_eq!(send(initiate(&world), req).await.0.status(), StatusCode::ACCEPTED);

    let all = "docferry.read docferry.write docferry.delegate";
    for (router, method, path) in [
        (reads(&world), "GET", format!("/v1/download/status/{id}")),
        (fetches(&world), "GET", format!("/v1/download/{id}")),
        (control_routes(&world), "POST", format!("/v1/download/cancel/{id}")),
    ] {
        let (response, _) = send(router, as_caller(all, method, &path, "")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
