//! Tests of the lists of jobs, and of requests on behalf of another person.

use std::collections::BTreeSet;

use docferry_contract::scope::Scopes;
use docferry_testkit::Runner;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::common::{build_request, caller, initiate_routes, send};
use crate::support::{job_ids, list_jobs, post_job_with_key};

#[tokio::test(start_paused = true)]
async fn history_is_paged_filtered_and_limited_to_the_caller() {
    let world = world_with_documents(3);
    let mut created = Vec::new();
    for number in 0..3 {
        let body = json!({ "file_id": FIRST_FILE_ID + number });
        created.push(
            post_job_with_key(&world, None, &body).await.1["jobId"].as_str().unwrap().to_owned(),
        );
        world.advance(SignedDuration::from_secs(1));
    }
    let (_, batch) =
        post_job_with_key(&world, None, &json!({ "file_ids": [FIRST_FILE_ID, FIRST_FILE_ID + 1] }))
            .await;
    created.push(batch["jobId"].as_str().unwrap().to_owned());
    created.reverse();

    let (code, first) = list_jobs(&world, "history?pageSize=3", None).await;
    assert_eq!(code, StatusCode::OK);
    assert_eq!(job_ids(&first), created[..3].to_vec());

    let job = &first["items"][0];
    assert_eq!(job["totalFileIds"], 2);
    assert_eq!(job["attempts"], 1);
    let token = first["nextPageToken"].as_str().unwrap();
    let (_, rest) = list_jobs(&world, &format!("history?pageSize=3&pageToken={token}"), None).await;
    assert_eq!(job_ids(&rest), created[3..].to_vec());
    assert_eq!(rest["nextPageToken"], Value::Null);

    // A page token is valid only for the list it belongs to.
    let other = format!("jobs?status=failed&pageSize=3&pageToken={token}");
    assert_eq!(list_jobs(&world, &other, None).await.0, StatusCode::BAD_REQUEST);

    let ada = Some(("sub:ada", "docferry.read"));
    let foreign = format!("history?pageSize=3&pageToken={token}");
    assert_eq!(list_jobs(&world, &foreign, ada).await.0, StatusCode::BAD_REQUEST);

    let (code, none) = list_jobs(&world, "history", ada).await;
    assert_eq!(code, StatusCode::OK);
    assert_eq!(job_ids(&none).len(), 0);

    Runner::new(&world).run_all().await;
    let (_, completed) = list_jobs(&world, "jobs?status=completed", None).await;
    assert_eq!(job_ids(&completed), created);

    for state in ["failed", "processing_artifacts"] {
        let (code, none) = list_jobs(&world, &format!("jobs?status={state}"), None).await;
        assert_eq!(code, StatusCode::OK, "{state}");
        assert_eq!(job_ids(&none).len(), 0, "{state}");
    }

    for invalid in
        ["jobs?status=done", "history?pageSize=0", "history?pageSize=x", "history?pageSize=101"]
    {
        assert_eq!(list_jobs(&world, invalid, None).await.0, StatusCode::BAD_REQUEST, "{invalid}");
    }
}

/// A person can be named by a token subject (`ada`) or a principal id (`sub:ada`). Both mean the
/// same person, even if a service makes the request.
#[tokio::test]
async fn all_spellings_of_a_user_id_mean_the_same_person() {
    let world = world_with_documents(1);
    for (id, user) in [
        ("sub:ada", None),
        ("sub:ada", Some("ada")),
        ("scv", Some("ada")),
        ("scv", Some("sub:ada")),
    ] {
        let body = json!({ "file_id": FIRST_FILE_ID, "userId": user }).to_string();
        let mut request = build_request("POST", "/v1/download/initiate", body);
        let scopes = Scopes::parse("docferry.write docferry.delegate docferry.documents");
        request.extensions_mut().insert(caller(id, scopes));
        assert_eq!(
            send(initiate_routes(&world), request).await.0.status(),
            StatusCode::ACCEPTED,
            "{id}"
        );
    }

    let transfers = world.store().transfers();
    let people: BTreeSet<_> = transfers.iter().map(|transfer| transfer.target.person()).collect();
    assert_eq!(transfers.len(), 4, "{people:?}");
    assert_eq!(people.len(), 1, "{people:?}");

    for user in ["ada", "sub:ada"] {
        let scv = Some(("scv", "docferry.read docferry.delegate"));
        let (_, of_ada) = list_jobs(&world, &format!("history?userId={user}"), scv).await;
        assert_eq!(job_ids(&of_ada).len(), 2, "{user}");
    }
}

#[tokio::test]
async fn acting_for_another_person_needs_the_delegate_scope() {
    let world = world_with_documents(1);
    let request_for_user = |scopes: &str, user: &str| {
        let body = json!({ "file_id": FIRST_FILE_ID, "userId": user }).to_string();
        let mut request = build_request("POST", "/v1/download/initiate", body);
        request.extensions_mut().insert(caller("sub:ada", Scopes::parse(scopes)));
        send(initiate_routes(&world), request)
    };
    let write = "docferry.write docferry.documents";
    assert_eq!(request_for_user(write, "ada").await.0.status(), StatusCode::ACCEPTED);
    assert_eq!(request_for_user(write, "bob").await.0.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        request_for_user(write, "bob@court.example").await.0.status(),
        StatusCode::BAD_REQUEST
    );

    let delegate = "docferry.write docferry.delegate docferry.documents";
    assert_eq!(request_for_user(delegate, "bob").await.0.status(), StatusCode::ACCEPTED);
    let ada = |scopes| Some(("sub:ada", scopes));
    let all = list_jobs(&world, "history?userId=ada", ada("docferry.read")).await;
    assert_eq!(
        job_ids(&all.1).len(),
        2,
        "all jobs that she created, also those on behalf of others"
    );

    let of_bob = list_jobs(&world, "history?userId=bob", ada("docferry.read")).await;
    assert_eq!(of_bob.0, StatusCode::FORBIDDEN);
    let scopes = "docferry.read docferry.delegate";
    assert_eq!(job_ids(&list_jobs(&world, "history?userId=bob", ada(scopes)).await.1).len(), 1);
}
