//! Test of drain mode, in which the service refuses new work and running jobs continue.

use docferry_http::TransferApi;
use docferry_testkit::Runner;
use http::StatusCode;
use serde_json::json;

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::common::jobs::job_status;
use crate::common::{build_request, control_routes_with, initiate_routes_with, send, transfer_api};
use crate::support::post_job_with_key;

#[tokio::test]
async fn drained_service_refuses_new_work_and_finishes_running_jobs() {
    let world = world_with_documents(1);
    let keyed_body = json!({ "file_id": FIRST_FILE_ID, "clientRequestId": "before" });
    let (_, accepted) = post_job_with_key(&world, None, &keyed_body).await;
    let drained =
        || initiate_routes_with(&world, TransferApi { drain: true, ..transfer_api(&world) });
    let repeated = build_request("POST", "/v1/download/initiate", keyed_body.to_string());
    let (response, response_body) = send(drained(), repeated).await;
    assert_eq!(
        response.status(),
        StatusCode::ACCEPTED,
        "the repeated request returns the first response"
    );
    assert_eq!(response_body, accepted, "the repeated request returns the first response");

    let body_with_new_key = json!({ "file_id": FIRST_FILE_ID, "clientRequestId": "new" });
    let viewer_body = json!({ "objGuid": "000000AA", "email": "a@b.example" });
    for (path, body) in [
        ("/v1/download/initiate", json!({ "file_id": FIRST_FILE_ID })),
        ("/v1/download/initiate", body_with_new_key),
        ("/v1/download/start", json!({ "file_id": FIRST_FILE_ID })),
        ("/document/upload", viewer_body),
    ] {
        let (response, problem) =
            send(drained(), build_request("POST", path, body.to_string())).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(response.headers()["retry-after"], "60");
        assert_eq!(problem["code"], "DRAINING");
    }

    assert_eq!(world.store().transfers().len(), 1);

    let id = accepted["jobId"].as_str().unwrap();
    Runner::new(&world).run_all().await;
    assert_eq!(
        job_status(&world, id).await["status"],
        "completed",
        "running jobs continue in drain mode"
    );

    let (_, canceled) = post_job_with_key(&world, None, &json!({ "file_id": FIRST_FILE_ID })).await;
    let id = canceled["jobId"].as_str().unwrap();
    let drained =
        || control_routes_with(&world, TransferApi { drain: true, ..transfer_api(&world) });
    let action_request =
        |action: &str| build_request("POST", &format!("/v1/download/{action}/{id}"), "");
    assert_eq!(send(drained(), action_request("cancel")).await.0.status(), StatusCode::ACCEPTED);

    Runner::new(&world).run_all().await;
    let (response, problem) = send(drained(), action_request("retry")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["code"], "DRAINING");
}
