//! Tests of the access to the calls and the transfers of the viewer (SCV).

use axum::body::Body;
use docferry_contract::scope::{Scope, Scopes};
use docferry_http::ping_router;
use docferry_testkit::World;
use http::StatusCode;

use crate::common::{build_request, caller, control_routes, initiate_routes, send, status_routes};

#[tokio::test]
async fn foreign_unknown_and_malformed_ids_get_the_same_response() {
    let world = World::default();
    let mut foreign = docferry_testkit::builders::transfer();
    foreign.spec.owner = "other-owner".into();
    let id = foreign.transfer_id.to_string();
    world.store().set(foreign);
    let mut problems = Vec::new();
    for id in [id.as_str(), "00000000000000000000000000000000", "nonsense", "%ff"] {
        let request = build_request("GET", &format!("/document/status/{id}"), Body::empty());
        let (response, problem) = send(status_routes(&world), request).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        problems.push((problem["code"].clone(), problem["detail"].clone()));
    }
    assert!(problems.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn request_without_a_principal_is_rejected() {
    let world = World::default();
    let mut request =
        build_request("POST", "/document/upload", r#"{"objGuid":"AAAA","email":"a@b.c"}"#);
    request.extensions_mut().clear();
    let (response, _) = send(initiate_routes(&world), request).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.headers().contains_key("www-authenticate"));
    assert!(world.store().transfers().is_empty());
}

#[tokio::test]
async fn calls_of_the_viewer_require_the_service_scope() {
    let world = World::default();
    let id = "0".repeat(32);
    for scopes in ["", "docferry.read docferry.write docferry.delegate"].map(Scopes::parse) {
        for (router, method, path) in [
            (initiate_routes(&world), "POST", "/document/upload"),
            (status_routes(&world), "GET", format!("/document/status/{id}").as_str()),
            (control_routes(&world), "POST", "/document/terminate"),
            (ping_router(world.clone()), "GET", "/ping"),
        ] {
            let mut request = build_request(method, path, "not read");
            request.extensions_mut().insert(caller("sub:ada", scopes));
            let (response, problem) = send(router, request).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
            assert_eq!(problem["code"], "FORBIDDEN");
            assert_eq!(problem["retryable"], false);
            assert!(problem["detail"].as_str().unwrap().contains("docferry.service"));
        }
    }
    assert!(world.store().transfers().is_empty());
}

#[tokio::test]
async fn each_service_token_sees_only_its_own_transfers() {
    let world = World::default();
    let as_service = |method: &str, path: &str, body: &str| {
        let mut request = build_request(method, path, body.to_owned());
        request.extensions_mut().insert(caller("sub:scv", Scope::Service.into()));
        request
    };
    let body = r#"{"objGuid":"AAAA","email":"a@b.example"}"#;
    let (response, response_body) =
        send(initiate_routes(&world), as_service("POST", "/document/upload", body)).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);

    let path = format!("/document/status/{}", response_body["transferId"].as_str().unwrap());
    let (own, _) = send(status_routes(&world), as_service("GET", &path, "")).await;
    let (foreign, _) = send(status_routes(&world), build_request("GET", &path, "")).await;
    assert_eq!(own.status(), StatusCode::OK);
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
}
