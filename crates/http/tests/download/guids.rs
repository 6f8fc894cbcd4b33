//! Tests of jobs that a service requests by the GUIDs of their documents, such as the documents of a
//! court list.

use docferry_app::ports::BatchStore as _;
use docferry_contract::scope::Scopes;
use docferry_domain::document::{CaseClass, DocumentRecord};
use docferry_testkit::builders::{document_record, epoch};
use docferry_testkit::{Runner, World};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::common::jobs::{create_job, fetch_job, job_status, post_job};
use crate::common::{build_request, caller, initiate_routes, send};

/// GUID of a document that neither the registry nor the source has.
const UNKNOWN_GUID: &str = "ZZZZZZAA";

/// Body of a request for a court list into a OneDrive.
fn court_list(guids: &[&str]) -> Value {
    json!({
        "objGuids": guids,
        "courtFile": "VLC-S-S-123456",
        "class": "criminal",
        "onItemError": "skip",
        "options": { "destination": "onedrive", "email": "a@b.example", "filePath": "Lists" },
    })
}

/// Requests a job as a person with all rights except `docferry.service`.
async fn post_job_as_person(world: &World, body: &Value) -> (Response<()>, Value) {
    let mut request = build_request("POST", "/v1/download/initiate", body.to_string());
    let scopes = "docferry.read docferry.write docferry.delegate docferry.documents";
    request.extensions_mut().insert(caller("sub:ada", Scopes::parse(scopes)));
    request.headers_mut().insert("x-request-id", "request-1".parse().unwrap());
    send(initiate_routes(world), request).await
}

#[tokio::test(start_paused = true)]
async fn court_list_is_one_job_with_a_result_for_each_guid() {
    let world = world_with_documents(2);
    let id = create_job(&world, &court_list(&["000001AA", UNKNOWN_GUID, "000000AA"])).await;
    let runner = Runner::new(&world);
    runner.run_all().await;
    runner.recover(2).await;

    let status = job_status(&world, &id).await;
    assert_eq!((&status["status"], &status["failedItems"]), (&json!("completed"), &json!(1)));
    let items = status["items"].as_array().unwrap();
    let results: Vec<_> =
        items.iter().map(|item| (&item["objGuid"], &item["file_id"], &item["status"])).collect();
    let null = &Value::Null;
    let (completed, failed) = (&json!("completed"), &json!("failed"));
    assert_eq!(
        results,
        [
            (&json!("000001AA"), null, completed),
            (&json!(UNKNOWN_GUID), null, failed),
            (&json!("000000AA"), null, completed),
        ]
    );
    assert_eq!(items[1]["error"]["code"], "SOURCE_NOT_FOUND");

    let (response, results) = fetch_job(&world, &id).await;
    assert_eq!(response.status(), StatusCode::OK);
    let delivered: Vec<_> =
        results["items"].as_array().unwrap().iter().map(|item| &item["objGuid"]).collect();
    assert_eq!(delivered, ["000001AA", "000000AA"]);
}

#[tokio::test]
async fn case_is_stored_with_the_job_and_with_each_transfer() {
    let world = world_with_documents(2);
    let id = create_job(&world, &court_list(&["000000AA", "000001AA"])).await;
    let (batch, _) = world.store().batch(&id.parse().unwrap()).await.unwrap().unwrap();
    let transfers = world.store().transfers();
    assert_eq!(transfers.len(), 2);
    for case in transfers.iter().map(|transfer| &transfer.spec.case).chain([&batch.spec.case]) {
        assert_eq!(case.court_file.as_ref().unwrap().as_str(), "VLC-S-S-123456");
        assert_eq!(case.class, Some(CaseClass::Criminal));
    }
}

#[tokio::test]
async fn list_of_one_guid_is_a_batch() {
    let world = world_with_documents(1);
    let id = create_job(&world, &json!({ "objGuids": ["000000AA"] })).await;
    let status = job_status(&world, &id).await;
    assert_eq!(status["items"][0]["jobId"], format!("{id}_0000"));
}

#[tokio::test]
async fn withdrawn_guids_are_rejected_with_their_pointers() {
    let world = world_with_documents(1);
    for (number, guid) in [(1, "WWWWWWAA"), (2, "WWWWWWAB")] {
        world.registry().insert(DocumentRecord {
            obj_guid: guid.parse().unwrap(),
            withdrawn_at: Some(epoch()),
            ..document_record(number)
        });
    }
    let guids = ["000000AA", "WWWWWWAA", UNKNOWN_GUID, "WWWWWWAB"];
    let (response, problem) = post_job(&world, &court_list(&guids)).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let places: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(places, ["/objGuids/1", "/objGuids/3"]);
    assert!(world.store().transfers().is_empty(), "no transfer is recorded");
}

#[tokio::test]
async fn person_gets_the_same_refusal_for_every_guid_and_case() {
    let world = world_with_documents(1);
    let mut responses = Vec::new();
    for body in [
        court_list(&["000000AA"]),
        court_list(&[UNKNOWN_GUID]),
        json!({ "objGuids": 5 }),
        json!({ "objGuids": ["000000AA"], "options": { "bundle": "zip" } }),
        json!({ "file_id": FIRST_FILE_ID, "courtFile": "S-1" }),
        json!({ "file_id": FIRST_FILE_ID, "class": "civil" }),
    ] {
        let (response, problem) = post_job_as_person(&world, &body).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{body}");
        responses.push((response.headers().clone(), problem));
    }
    assert!(responses.windows(2).all(|pair| pair[0] == pair[1]), "{responses:?}");
    assert!(responses[0].1["detail"].as_str().unwrap().contains("docferry.service"));
    assert!(world.store().transfers().is_empty(), "no transfer is recorded");
}

#[tokio::test]
async fn invalid_guids_are_rejected_and_create_nothing() {
    let world = world_with_documents(1);
    for (body, pointer) in [
        (json!({ "objGuids": ["000000AA"], "file_id": FIRST_FILE_ID }), "/objGuids"),
        (json!({ "objGuids": ["000000AA"], "file_ids": [FIRST_FILE_ID] }), "/objGuids"),
        (json!({ "objGuids": ["000000AA", "000000AA"] }), "/objGuids/1"),
        (json!({ "objGuids": ["000000AA"], "class": "family" }), "/class"),
        (json!({ "objGuids": ["000000AA"], "courtFile": "\u{202e}" }), "/courtFile"),
        (json!({ "file_id": FIRST_FILE_ID, "courtFile": "S-1" }), "/courtFile"),
    ] {
        let (response, problem) = post_job(&world, &body).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    assert!(world.store().transfers().is_empty(), "no transfer is recorded");
}

#[tokio::test]
async fn zip_of_guids_is_answered_with_not_implemented() {
    let body = json!({ "objGuids": ["000000AA"], "options": { "bundle": "zip" } });
    let (response, _) = post_job(&world_with_documents(1), &body).await;
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn deprecated_start_accepts_no_guids() {
    let body = json!({ "objGuids": ["000000AA"] }).to_string();
    let request = build_request("POST", "/v1/download/start", body);
    let (response, problem) = send(initiate_routes(&world_with_documents(1)), request).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(problem["errors"][0]["pointer"], "/objGuids");
}

/// The body has about 155 KiB. Other routes accept at most 64 KiB.
#[tokio::test]
async fn six_hundred_guids_of_maximum_length_are_accepted() {
    let world = World::default();
    let guids: Vec<_> = (0..600).map(|number| format!("{number:0>256}")).collect();
    let (response, accepted) = post_job(&world, &json!({ "objGuids": guids })).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED, "{accepted}");
    assert_eq!(accepted["totalFileIds"], 600);
}

#[tokio::test]
async fn body_limit_of_initiate_is_larger_than_that_of_start() {
    let world = world_with_documents(1);
    for (path, kibibytes) in [("initiate", 512), ("start", 64)] {
        let body_of = |length: usize| {
            let body = json!({ "file_id": FIRST_FILE_ID }).to_string();
            let padding = " ".repeat(length - body.len());
            body + &padding
        };
        for (length, status) in [
            (kibibytes * 1024, StatusCode::ACCEPTED),
            (kibibytes * 1024 + 1, StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            let request = build_request("POST", &format!("/v1/download/{path}"), body_of(length));
            let (response, answer) = send(initiate_routes(&world), request).await;
            assert_eq!(response.status(), status, "{path}: {length}");
            if status == StatusCode::PAYLOAD_TOO_LARGE {
                let detail = answer["detail"].as_str().unwrap();
                assert!(detail.contains(&format!("{kibibytes} KiB")), "{detail}");
            }
        }
    }
}
