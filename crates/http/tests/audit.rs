//! Tests of the audit trail: each disclosure of documents and each denial has a record, with the
//! circumstances of its request.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use common::documents::{FIRST_FILE_ID, world_with_documents};
use common::{
    build_request, caller, control_routes, download_routes, initiate_routes, send, status_routes,
    subscribe_routes,
};
use docferry_app::ports::RegistryWriter as _;
use docferry_contract::scope::{Scope, Scopes};
use docferry_domain::audit::{AuditAction, AuditEvent, object_key_hash};
use docferry_domain::document::{Coverage, Grant};
use docferry_domain::person::Person;
use docferry_domain::transfer::Delivery;
use docferry_http::{GatewayContext, Principal, StreamMode};
use docferry_testkit::builders::document_record;
use docferry_testkit::{Runner, World};
use http::{Request, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// Request with the address of its sender, as the code that serves the router builds it.
fn request(caller: &Principal, method: &str, path: &str, body: &Value) -> Request<Body> {
    let mut request = build_request(method, path, body.to_string());
    request.extensions_mut().insert(caller.clone());
    request.extensions_mut().insert(GatewayContext {
        ip: "192.0.2.7".parse().ok(),
        gateway_request_id: Some("gateway-1".into()),
    });
    let headers = request.headers_mut();
    headers.insert("user-agent", "browser".parse().unwrap());
    headers.insert("x-request-id", "request-1".parse().unwrap());
    request
}

fn service() -> Principal {
    caller("scv", Scope::Service.into())
}

fn person() -> Principal {
    caller("sub:ada", Scopes::parse("docferry.read docferry.write"))
}

/// Creates a job and runs it to its end. Returns its id.
async fn completed_job(world: &World, caller: &Principal, body: &Value) -> String {
    let request = request(caller, "POST", "/v1/download/initiate", body);
    let (response, body) = send(initiate_routes(world), request).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED, "{body}");
    Runner::new(world).run_all().await;
    body["jobId"].as_str().unwrap().to_owned()
}

/// Removes the recorded events and returns them.
fn events(world: &World) -> Vec<AuditEvent> {
    world.audit().take_events()
}

fn assert_origin(event: &AuditEvent) {
    let source = &event.origin.as_ref().unwrap().source;
    assert_eq!(source.ip, "192.0.2.7".parse().ok());
    assert_eq!(source.user_agent.as_deref(), Some("browser"));
    assert_eq!(source.request_id, "request-1");
    assert_eq!(source.gateway_request_id.as_deref(), Some("gateway-1"));
}

#[tokio::test(start_paused = true)]
async fn every_issued_url_has_a_record_with_file_and_object() {
    let world = world_with_documents(1);
    let id = completed_job(&world, &service(), &json!({ "file_id": FIRST_FILE_ID })).await;
    let transfer = world.store().transfers().remove(0);
    let Some(Delivery::Download(artifact)) = &transfer.delivery else { panic!("no delivery") };
    let subscribe = || subscribe_routes(&world, StreamMode::Stream);
    let routes: [(Router, String); 3] = [
        (status_routes(&world), format!("/v1/download/status/{id}")),
        (download_routes(&world), format!("/v1/download/{id}")),
        (subscribe(), format!("/v1/download/subscribe/{id}")),
    ];
    for (router, path) in routes {
        let (response, _) = send(router, request(&service(), "GET", &path, &json!({}))).await;
        assert!(response.status().as_u16() < 400, "{path}");

        let events = events(&world);
        let [event] = events.as_slice() else { panic!("{path}: {events:?}") };
        assert_eq!((event.action, event.actor.as_str()), (AuditAction::UrlIssued, "scv"));
        assert_eq!(event.objects, [object_key_hash(&artifact.key)], "{path}");
        assert_eq!(event.files[0].id, transfer.object_guid.as_str());
        assert_eq!(event.files[0].file_name, "order 0.pdf");
        assert_eq!(event.job_id.as_ref().map(ToString::to_string), Some(id.clone()));
        assert_eq!(event.subject, Some(document_record(FIRST_FILE_ID).subject));
        assert_origin(event);
    }
}

/// The record is written before the response, so a failure to write it is an error.
#[tokio::test(start_paused = true)]
async fn nothing_is_disclosed_while_the_audit_log_is_down() {
    let world = world_with_documents(1);
    let file = json!({ "file_id": FIRST_FILE_ID });
    let id = completed_job(&world, &service(), &file).await;
    world.audit().set_down(true);
    let get = |path: &str| request(&service(), "GET", path, &json!({}));
    for (router, request) in [
        (status_routes(&world), get(&format!("/v1/download/status/{id}"))),
        (download_routes(&world), get(&format!("/v1/download/{id}"))),
        (
            subscribe_routes(&world, StreamMode::Stream),
            get(&format!("/v1/download/subscribe/{id}")),
        ),
        (status_routes(&world), request(&service(), "POST", "/v1/download/check", &file)),
        // A denial that cannot be recorded is an error for hidden and unknown documents alike.
        (status_routes(&world), request(&person(), "POST", "/v1/download/check", &file)),
        (initiate_routes(&world), request(&person(), "POST", "/v1/download/initiate", &file)),
    ] {
        let path = request.uri().clone();
        let (response, body) = send(router, request).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}: {body}");
        assert!(!response.headers().contains_key("location"), "{path}");
        assert!(!body.to_string().contains("order 0.pdf"), "{path}: {body}");
    }
    // Calls that disclose nothing go on.
    let request = request(&service(), "POST", "/v1/download/initiate", &file);
    assert_eq!(send(initiate_routes(&world), request).await.0.status(), StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn response_without_a_url_has_no_record() {
    let world = world_with_documents(1);
    let accepted =
        request(&service(), "POST", "/v1/download/initiate", &json!({ "file_id": FIRST_FILE_ID }));
    let (_, body) = send(initiate_routes(&world), accepted).await;
    let id = body["jobId"].as_str().unwrap();
    for (router, path) in [
        (status_routes(&world), format!("/v1/download/status/{id}")),
        (download_routes(&world), format!("/v1/download/{id}")),
    ] {
        send(router, request(&service(), "GET", &path, &json!({}))).await;
        assert!(events(&world).is_empty(), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn urls_of_a_large_batch_are_recorded_in_parts_of_100() {
    let world = world_with_documents(205);
    let numbers: Vec<_> = (0..205).map(|index| FIRST_FILE_ID + index).collect();
    let id = completed_job(&world, &service(), &json!({ "file_ids": numbers })).await;

    let path = format!("/v1/download/{id}");
    let routes = download_routes(&world);
    let (response, body) = send(routes, request(&service(), "GET", &path, &json!({}))).await;

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body["items"].as_array().unwrap().len(), 205);
    let events = events(&world);
    let sizes: Vec<_> =
        events.iter().map(|event| (event.files.len(), event.objects.len())).collect();
    assert_eq!(sizes, [(100, 100), (100, 100), (5, 5)]);
    let (first, _) = events[0].id.split_once('/').unwrap();
    assert!(events.iter().all(|event| event.id.starts_with(first)));
}

#[tokio::test]
async fn check_of_a_document_is_a_view_or_a_denial() {
    let world = world_with_documents(1);
    let check = async |caller: &Principal, number: u64| {
        let body = json!({ "file_id": number });
        let request = request(caller, "POST", "/v1/download/check", &body);
        assert_eq!(send(status_routes(&world), request).await.0.status(), StatusCode::OK);
    };
    check(&service(), FIRST_FILE_ID).await;
    let viewed = events(&world);
    assert_eq!((viewed[0].action, viewed[0].files.len()), (AuditAction::ViewedList, 1));
    assert_origin(&viewed[0]);

    // To a service, an unregistered number is unknown, not denied.
    check(&service(), 99_999).await;
    assert!(events(&world).is_empty() && world.audit().denials().is_empty());

    check(&person(), FIRST_FILE_ID).await;
    check(&person(), 99_999).await;
    let denials = world.audit().denials();
    let [denial] = denials.as_slice() else { panic!("{denials:?}") };
    assert_eq!((denial.actor.as_str(), denial.count), ("sub:ada", Some(2)));
    assert_eq!(denial.requested, [format!("fileId={FIRST_FILE_ID}"), "fileId=99999".to_owned()]);
    assert_origin(denial);
    assert!(events(&world).is_empty());
}

#[tokio::test]
async fn refused_job_of_a_person_records_the_denied_documents() {
    let world = world_with_documents(2);
    let coverage = Coverage::Subject(document_record(FIRST_FILE_ID).subject);
    let grant = Grant { coverage, expires_at: None };
    world.registry().grant(&Person::new("ada"), &grant).await.unwrap();
    let body = json!({ "file_ids": [FIRST_FILE_ID, 99_999] });
    let request = request(&person(), "POST", "/v1/download/initiate", &body);

    let (response, body) = send(initiate_routes(&world), request).await;

    assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
    assert_eq!(world.audit().denials()[0].requested, ["fileId=99999"]);
}

#[tokio::test(start_paused = true)]
async fn result_that_the_caller_may_no_longer_receive_is_a_denial() {
    let world = world_with_documents(1);
    let coverage = Coverage::Subject(document_record(FIRST_FILE_ID).subject);
    let grant = Grant { coverage: coverage.clone(), expires_at: None };
    world.registry().grant(&Person::new("ada"), &grant).await.unwrap();
    let id = completed_job(&world, &person(), &json!({ "file_id": FIRST_FILE_ID })).await;
    assert!(world.registry().revoke(&Person::new("ada"), &coverage).await.unwrap());
    let guid = world.store().transfers()[0].object_guid.clone();

    let path = format!("/v1/download/{id}");
    let fetch = request(&person(), "GET", &path, &json!({}));
    assert_eq!(send(download_routes(&world), fetch).await.0.status(), StatusCode::NOT_FOUND);
    assert_eq!(world.audit().denials()[0].requested, [format!("objGuid={}", guid.as_str())]);
    assert!(events(&world).is_empty());

    world.advance(SignedDuration::from_hours(25));
    Runner::new(&world).recover(2).await;
    let path = format!("/v1/download/retry/{id}");
    let retry = request(&person(), "POST", &path, &json!({}));
    assert_eq!(send(control_routes(&world), retry).await.0.status(), StatusCode::NOT_FOUND);
    assert_eq!(world.audit().denials().len(), 1, "the first denials were sent by the sweeper");
}

#[tokio::test]
async fn service_names_the_end_user_in_a_header() {
    let world = world_with_documents(1);
    let upload = |caller: &Principal, name: Option<&[u8]>| {
        let body = json!({
            "objGuid": "3q2+7wAAAAAAAAAAAAAAAA==", "email": "a@b.example", "filePath": "Court"
        });
        let mut request = request(caller, "POST", "/document/upload", &body);
        if let Some(name) = name {
            let value = http::HeaderValue::from_bytes(name).unwrap();
            request.headers_mut().insert("x-on-behalf-of", value);
        }
        request
    };
    for bad in [b" ".as_slice(), b"a\xff", "x".repeat(257).as_bytes()] {
        let (response, body) = send(initiate_routes(&world), upload(&service(), Some(bad))).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(body["errors"][0]["detail"].as_str().unwrap().contains("X-On-Behalf-Of"), "{body}");
    }
    assert!(world.store().transfers().is_empty());

    for name in [Some("Judge Ågot".as_bytes()), None] {
        let (response, body) = send(initiate_routes(&world), upload(&service(), name)).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{body}");
    }
    let named: BTreeSet<_> = world
        .store()
        .transfers()
        .iter()
        .map(|transfer| {
            let origin = transfer.audit.origin.as_ref().unwrap();
            assert_eq!(origin.source.request_id, "request-1");
            origin.on_behalf_of.as_ref().map(|name| name.as_str().to_owned())
        })
        .collect();
    assert_eq!(named, BTreeSet::from([Some("Judge Ågot".to_owned()), None]));
}

#[tokio::test]
async fn person_cannot_act_in_the_name_of_another() {
    let world = world_with_documents(1);
    let coverage = Coverage::Subject(document_record(FIRST_FILE_ID).subject);
    let grant = Grant { coverage, expires_at: None };
    world.registry().grant(&Person::new("ada"), &grant).await.unwrap();
    let body = json!({ "file_id": FIRST_FILE_ID });
    let mut request = request(&person(), "POST", "/v1/download/check", &body);
    request.headers_mut().insert("x-on-behalf-of", "Judge A".parse().unwrap());

    let (response, _) = send(status_routes(&world), request).await;

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(events(&world)[0].origin.as_ref().unwrap().on_behalf_of, None);
}

#[tokio::test(start_paused = true)]
async fn retry_records_its_own_request() {
    let one = json!({ "file_id": FIRST_FILE_ID });
    let many = json!({ "file_ids": [FIRST_FILE_ID, FIRST_FILE_ID + 1] });
    for body in [one, many] {
        let world = world_with_documents(2);
        let id = completed_job(&world, &service(), &body).await;
        world.advance(SignedDuration::from_hours(25));
        Runner::new(&world).recover(2).await;

        let path = format!("/v1/download/retry/{id}");
        let mut retry = request(&service(), "POST", &path, &json!({}));
        retry.headers_mut().insert("x-request-id", "request-2".parse().unwrap());
        retry.headers_mut().insert("x-on-behalf-of", "Judge B".parse().unwrap());
        let (response, body) = send(control_routes(&world), retry).await;

        assert_eq!(response.status(), StatusCode::ACCEPTED, "{body}");
        for transfer in world.store().transfers() {
            let origin = transfer.audit.origin.unwrap();
            assert_eq!(origin.source.request_id, "request-2", "{id}");
            assert_eq!(origin.on_behalf_of.unwrap().as_str(), "Judge B", "{id}");
        }
    }
}
