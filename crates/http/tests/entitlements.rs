//! Tests of entitlements: which documents a caller may request, check and fetch. A document that the
//! caller may not see is indistinguishable from one that does not exist.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use axum::Router;
use common::documents::{FIRST_FILE_ID, world_with_documents};
use common::{
    build_request, caller, control_routes, download_routes, initiate_routes, send, status_routes,
};
use docferry_app::ports::{Clock as _, RegistryWriter as _};
use docferry_contract::scope::Scopes;
use docferry_domain::document::{Coverage, DocumentKey, DocumentRecord, Grant};
use docferry_domain::ids::FileId;
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_http::Principal;
use docferry_testkit::builders::{document_record, subject};
use docferry_testkit::{Runner, World};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// Number of a document that no test registers.
const UNKNOWN_FILE_ID: u64 = 99_999;

/// Reason for which the caller may see the first document, or may not see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Service,
    Role,
    SubjectClaim,
    GroupClaim,
    SubjectGrant,
    GroupGrant,
    ExpiredGrant,
    ForeignClaim,
    ForeignGrant,
    GrantOfAnother,
    Nothing,
}

use Reason::{
    ExpiredGrant, ForeignClaim, ForeignGrant, GrantOfAnother, GroupClaim, GroupGrant, Nothing,
    Role, Service, SubjectClaim, SubjectGrant,
};

const ENTITLED: [Reason; 6] = [Service, Role, SubjectClaim, GroupClaim, SubjectGrant, GroupGrant];
const NOT_ENTITLED: [Reason; 5] =
    [ExpiredGrant, ForeignClaim, ForeignGrant, GrantOfAnother, Nothing];

/// Subject of the first document.
fn this_subject() -> Coverage {
    Coverage::Subject(document_record(FIRST_FILE_ID).subject)
}

fn group(name: &str) -> Coverage {
    Coverage::Group(name.parse().unwrap())
}

/// Creates a world with one document of the group `criminal`, and the caller `sub:ada`, who may or
/// may not see it.
async fn world_for(reason: Reason) -> (World, Principal) {
    let world = world_with_documents(1);
    let records = world.registry().take_records();
    for record in records {
        let groups = vec!["criminal".parse().unwrap()];
        world.registry().insert(DocumentRecord { groups, ..record });
    }
    let scopes = match reason {
        Service => "docferry.service",
        Role => "docferry.read docferry.write docferry.documents",
        _ => "docferry.read docferry.write",
    };
    let claims = match reason {
        SubjectClaim => BTreeSet::from([this_subject()]),
        GroupClaim => BTreeSet::from([group("criminal"), group("civil")]),
        ForeignClaim => BTreeSet::from([Coverage::Subject(subject("S-1")), group("civil")]),
        _ => BTreeSet::new(),
    };
    let now = world.now();
    let (person, coverage, expires_at) = match reason {
        SubjectGrant => ("ada", this_subject(), None),
        GroupGrant => ("ada", group("criminal"), Some(now + SignedDuration::from_secs(60))),
        ExpiredGrant => ("ada", this_subject(), Some(now)),
        GrantOfAnother => ("bob", this_subject(), None),
        _ => ("ada", group("family"), None),
    };
    if !matches!(reason, Nothing) {
        let grant = Grant { coverage, expires_at };
        world.registry().grant(&Person::new(person), &grant).await.unwrap();
    }
    (world, Principal { claims, ..caller("sub:ada", Scopes::parse(scopes)) })
}

/// Sends a request of the caller. Returns the status and the body without the id of the request, and the
/// reads of the registry and writes of the audit log.
async fn call(
    world: &World,
    caller: &Principal,
    router: Router,
    (method, path): (&str, &str),
    body: Value,
) -> (StatusCode, Value, Vec<&'static str>) {
    let mut request = build_request(method, path, body.to_string());
    request.extensions_mut().insert(caller.clone());
    let _earlier = (world.registry().take_reads(), world.audit().take_writes());
    let (response, mut body) = send(router, request).await;
    if let Some(problem) = body.as_object_mut() {
        problem.remove("requestId");
        problem.remove("instance");
    }
    let calls = [world.registry().take_reads(), world.audit().take_writes()].concat();
    (response.status(), body, calls)
}

async fn initiate(
    world: &World,
    caller: &Principal,
    file: u64,
) -> (StatusCode, Value, Vec<&'static str>) {
    let call_of = ("POST", "/v1/download/initiate");
    call(world, caller, initiate_routes(world), call_of, json!({ "file_id": file })).await
}

async fn check(
    world: &World,
    caller: &Principal,
    file: u64,
) -> (StatusCode, Value, Vec<&'static str>) {
    let call_of = ("POST", "/v1/download/check");
    let (status, mut body, reads) =
        call(world, caller, status_routes(world), call_of, json!({ "file_id": file })).await;
    // The response repeats the number of the request.
    body.as_object_mut().unwrap().remove("file_id");
    (status, body, reads)
}

#[tokio::test]
async fn entitled_caller_checks_and_requests_the_document() {
    for reason in ENTITLED {
        let (world, caller) = world_for(reason).await;
        let (status, body, _) = check(&world, &caller, FIRST_FILE_ID).await;
        assert_eq!((status, &body["available"]), (StatusCode::OK, &json!(true)), "{reason:?}");
        assert_eq!(body["fileName"], "order 0.pdf", "{reason:?}");
        let (status, body, _) = initiate(&world, &caller, FIRST_FILE_ID).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{reason:?}: {body}");
    }
}

#[tokio::test]
async fn invisible_document_equals_an_unknown_one_in_response_and_calls() {
    for reason in NOT_ENTITLED {
        let (world, caller) = world_for(reason).await;
        let unknown = initiate(&world, &caller, UNKNOWN_FILE_ID).await;
        assert_eq!(unknown.0, StatusCode::BAD_REQUEST, "{reason:?}");
        assert_eq!(initiate(&world, &caller, FIRST_FILE_ID).await, unknown, "{reason:?}");

        let unknown = check(&world, &caller, UNKNOWN_FILE_ID).await;
        assert_eq!(unknown.1["available"], false);
        assert_eq!(unknown.2, ["grants", "documents", "count_denial"]);
        assert_eq!(check(&world, &caller, FIRST_FILE_ID).await, unknown, "{reason:?}");
        assert!(world.store().transfers().is_empty(), "{reason:?}: a job was recorded");
    }
}

#[tokio::test]
async fn withdrawn_document_is_unknown_even_to_a_service() {
    for reason in ENTITLED {
        let (world, caller) = world_for(reason).await;
        let key = DocumentKey::File(FileId::new(FIRST_FILE_ID));
        world.registry().withdraw(&key, world.now()).await.unwrap().unwrap();

        let unknown = initiate(&world, &caller, UNKNOWN_FILE_ID).await;
        assert_eq!(initiate(&world, &caller, FIRST_FILE_ID).await, unknown, "{reason:?}");
        let unknown = check(&world, &caller, UNKNOWN_FILE_ID).await;
        assert_eq!(check(&world, &caller, FIRST_FILE_ID).await, unknown, "{reason:?}");
    }
}

/// Loss of the right to see a document that a job has delivered.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Withdrawal,
    Revocation,
}

/// Lets the caller download the first document, and then lose the right to see it.
async fn job_with_loss(loss: Loss) -> (World, Principal, String) {
    let (world, caller) = world_for(SubjectGrant).await;
    let (_, accepted, _) = initiate(&world, &caller, FIRST_FILE_ID).await;
    let id = accepted["jobId"].as_str().unwrap().to_owned();
    Runner::new(&world).run_all().await;
    match loss {
        Loss::Withdrawal => {
            let key = DocumentKey::File(FileId::new(FIRST_FILE_ID));
            world.registry().withdraw(&key, world.now()).await.unwrap().unwrap();
        }
        Loss::Revocation => {
            let revoked = world.registry().revoke(&Person::new("ada"), &this_subject()).await;
            assert!(revoked.unwrap());
        }
    }
    (world, caller, id)
}

#[tokio::test(start_paused = true)]
async fn completed_job_issues_no_url_after_the_loss_of_the_entitlement() {
    for loss in [Loss::Withdrawal, Loss::Revocation] {
        let (world, caller, id) = job_with_loss(loss).await;
        assert_eq!(world.store().transfers()[0].phase, Phase::Completed);

        let path = format!("/v1/download/status/{id}");
        let routes = status_routes(&world);
        let (status, body, _) = call(&world, &caller, routes, ("GET", &path), json!({})).await;
        assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("completed")), "{loss:?}");
        assert_eq!((&body["url"], &body["result"]), (&Value::Null, &Value::Null), "{loss:?}");

        let path = format!("/v1/download/{id}");
        let routes = download_routes(&world);
        let (status, body, _) = call(&world, &caller, routes, ("GET", &path), json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{loss:?}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn job_cannot_be_retried_after_the_loss_of_the_entitlement() {
    for loss in [Loss::Withdrawal, Loss::Revocation] {
        let (world, caller, id) = job_with_loss(loss).await;
        // The job has expired, so a caller who may see the document could retry it.
        world.advance(SignedDuration::from_hours(25));
        Runner::new(&world).recover(2).await;

        let path = format!("/v1/download/retry/{id}");
        let routes = control_routes(&world);
        let (status, _, _) = call(&world, &caller, routes, ("POST", &path), json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{loss:?}");

        if matches!(loss, Loss::Revocation) {
            let grant = Grant { coverage: this_subject(), expires_at: None };
            world.registry().grant(&Person::new("ada"), &grant).await.unwrap();
            let routes = control_routes(&world);
            let (status, body, _) = call(&world, &caller, routes, ("POST", &path), json!({})).await;
            assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        }
    }
}
