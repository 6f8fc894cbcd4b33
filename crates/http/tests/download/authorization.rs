//! Tests of the access to the downloads API: which scopes a call requires, and to whose OneDrive a
//! caller can deliver documents.

use docferry_contract::scope::Scopes;
use docferry_http::Principal;
use docferry_testkit::World;
use http::StatusCode;
use serde_json::json;

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::common::jobs::create_single_document_job;
use crate::common::{
    build_request, caller, control_routes, download_routes, initiate_routes, send, status_routes,
};

/// Microsoft Graph user id of the caller `sub:ada`.
const ADA: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// Requests a delivery to the OneDrive of `email` and returns the status of the response.
///
/// The caller has the scope `docferry.write` and the Graph user id `caller_id`. In Graph, the user
/// with the address `a@b.example` has the id [`ADA`].
async fn request_delivery_to(world: &World, caller_id: Option<&str>, email: &str) -> StatusCode {
    world.state().users.insert("a@b.example".into(), ADA.to_uppercase());
    let options = json!({ "destination": "onedrive", "email": email });
    let body = json!({ "file_id": FIRST_FILE_ID, "options": options }).to_string();
    let mut request = build_request("POST", "/v1/download/initiate", body);
    let graph_user = caller_id.map(str::to_owned);
    let ada = Principal {
        graph_user,
        ..caller("sub:ada", Scopes::parse("docferry.write docferry.documents"))
    };
    request.extensions_mut().insert(ada);
    send(initiate_routes(world), request).await.0.status()
}

/// Invariant I10.
#[tokio::test]
async fn missing_scopes_are_rejected_and_foreign_jobs_look_unknown() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let as_caller = |scopes: &str, method: &str, path: &str, body: &str| {
        let mut request = build_request(method, path, body.to_owned());
        request.extensions_mut().insert(caller("sub:ada", Scopes::parse(scopes)));
        request
    };
    let body = json!({ "file_id": FIRST_FILE_ID }).to_string();
    let request = as_caller("docferry.read", "POST", "/v1/download/initiate", &body);
    assert_eq!(send(initiate_routes(&world), request).await.0.status(), StatusCode::FORBIDDEN);

    let request =
        as_caller("docferry.write docferry.documents", "POST", "/v1/download/initiate", &body);
    assert_eq!(send(initiate_routes(&world), request).await.0.status(), StatusCode::ACCEPTED);
    let to_drive = json!({
        "file_id": FIRST_FILE_ID, "options": { "destination": "onedrive", "email": "a@b.example" }
    })
    .to_string();
    let request =
        as_caller("docferry.write docferry.documents", "POST", "/v1/download/initiate", &to_drive);
    assert_eq!(send(initiate_routes(&world), request).await.0.status(), StatusCode::FORBIDDEN);
    assert_eq!(request_delivery_to(&world, Some(ADA), "a@b.example").await, StatusCode::ACCEPTED);

    for other_id in [Some("another"), None] {
        let refused = request_delivery_to(&world, other_id, "a@b.example").await;
        assert_eq!(refused, StatusCode::FORBIDDEN);
    }

    // An unknown user gives the same response as another user.
    let unknown = request_delivery_to(&world, Some(ADA), "x@b.example").await;
    assert_eq!(unknown, StatusCode::FORBIDDEN);

    world.state().drive.down = true;
    let unavailable = request_delivery_to(&world, Some(ADA), "a@b.example").await;
    assert_eq!(unavailable, StatusCode::SERVICE_UNAVAILABLE);

    world.state().drive.down = false;
    let scopes = "docferry.write docferry.delegate docferry.documents";
    let request = as_caller(scopes, "POST", "/v1/download/initiate", &to_drive);
    assert_eq!(send(initiate_routes(&world), request).await.0.status(), StatusCode::ACCEPTED);

    let all_scopes = "docferry.read docferry.write docferry.delegate";
    for (router, method, path) in [
        (status_routes(&world), "GET", format!("/v1/download/status/{id}")),
        (download_routes(&world), "GET", format!("/v1/download/{id}")),
        (control_routes(&world), "POST", format!("/v1/download/cancel/{id}")),
    ] {
        let (response, _) = send(router, as_caller(all_scopes, method, &path, "")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
