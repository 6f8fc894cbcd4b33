//! Tests of tokens, users, drives and items in the Microsoft Graph simulator.

mod support;

use std::time::Duration;

use docferry_sim_graph::Config;
use reqwest::Method;
use serde_json::json;
use support::{USER, config, error_code, read_json, start_bench, start_bench_with};

#[tokio::test]
async fn token_is_issued_only_for_the_correct_secret() {
    let bench = start_bench().await;
    let (status, body) = read_json(bench.token_request("wrong").send().await.unwrap()).await;
    assert_eq!((status.as_u16(), &body["error"]), (401, &json!("invalid_client")));
    assert!(body["error_codes"].is_array());

    let url = format!("{}/simulated-tenant/oauth2/v2.0/token", bench.graph.url());
    let request = |scope: &'static str| {
        let form = [("scope", scope), ("grant_type", "client_credentials")];
        let basic = bench.http.post(&url).basic_auth("simulated-client", Some("simulated-secret"));
        basic.form(&form).send()
    };
    let (status, body) =
        read_json(request("https://graph.microsoft.com/.default").await.unwrap()).await;
    // The token is valid for one hour. Like Graph, the simulator reports one second less.
    assert_eq!((status.as_u16(), &body["expires_in"]), (200, &json!(3599)));
    assert!(body.get("refresh_token").is_none());

    let (status, body) = read_json(request("Files.Read").await.unwrap()).await;
    assert_eq!((status.as_u16(), &body["error"]), (400, &json!("invalid_scope")));
}

#[tokio::test]
async fn expired_token_is_rejected_with_a_challenge() {
    let bench = start_bench_with(Config { token_lifetime: Duration::ZERO, ..config() }).await;
    let path = format!("/users/{USER}");
    let response = bench.request(Method::GET, &path).send().await.unwrap();
    assert!(response.headers().contains_key("www-authenticate"));
    let (status, body) = read_json(response).await;
    assert_eq!((status.as_u16(), error_code(&body).as_str()), (401, "InvalidAuthenticationToken"));
}

#[tokio::test]
async fn unknown_users_and_missing_drives_return_not_found() {
    let bench = start_bench().await;
    let (_, user) = bench.get("/users/ADA@example.org").await;
    let id = user["id"].as_str().unwrap();
    let (_, drive) = bench.get(&format!("/users/{id}/drive")).await;
    let drive_id = drive["id"].as_str().unwrap();
    assert_eq!(bench.get(&format!("/drives/{drive_id}")).await.1["id"], drive["id"]);

    let (status, body) = bench.get("/users/unknown@example.org").await;
    assert_eq!((status.as_u16(), error_code(&body).as_str()), (404, "Request_ResourceNotFound"));

    let admin = bench.graph.admin_url();
    for upn in ["bo%23ext@example.org?drive=false", "$eve@example.org"] {
        let put = bench.http.put(format!("{admin}/users/{upn}")).send().await.unwrap();
        assert_eq!(put.status(), 200);
    }

    assert_eq!(bench.get("/users/bo%23ext@example.org").await.0, 200);
    let (status, body) = bench.get("/users/bo%23ext@example.org/drive").await;
    assert_eq!((status.as_u16(), error_code(&body).as_str()), (404, "ResourceNotFound"));
    // Graph parses an unquoted id that starts with `$` as a function call.
    assert_eq!(bench.get("/users/$eve@example.org").await.0, 400);
    assert_eq!(bench.get("/users('$eve@example.org')/drive").await.0, 200);
}

#[tokio::test]
async fn items_can_be_read_and_deleted_by_path_and_id() {
    let bench = start_bench().await;
    let content = format!("/users/{USER}/drive/root:/in/empty.txt:/content");
    let put = bench.request(Method::PUT, &content).body("").send().await.unwrap();
    let (status, item) = read_json(put).await;
    assert_eq!((status.as_u16(), &item["size"]), (201, &json!(0)));
    assert_eq!(item["file"]["hashes"]["quickXorHash"], "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");

    let id = item["id"].as_str().unwrap();
    let drive = item["parentReference"]["driveId"].as_str().unwrap();
    let parent = item["parentReference"]["id"].as_str().unwrap();
    for path in [
        format!("/users/{USER}/drive/items/{id}"),
        format!("/drives/{drive}/items/{id}"),
        format!("/drives/{drive}/items/{parent}:/empty.txt"),
        format!("/drives/{drive}/root:/in/empty.txt:"),
    ] {
        assert_eq!(bench.get(&path).await.1["id"], item["id"], "{path}");
    }

    let (_, root) = bench.get(&format!("/users/{USER}/drive/root/children")).await;
    assert_eq!(root["value"][0]["name"], "in");
    let (_, listed) = bench.get(&format!("/users/{USER}/drive/root:/in:/children")).await;
    assert_eq!(listed["value"][0]["name"], "empty.txt");

    let with_fail = format!("{content}?@microsoft.graph.conflictBehavior=fail");
    let put = bench.request(Method::PUT, &with_fail).body("x").send().await.unwrap();
    assert_eq!(put.status(), 409);

    let put = bench.request(Method::PUT, &content).body("x").send().await.unwrap();
    assert_eq!(put.status(), 200);
    let path = format!("/drives/{drive}/items/{id}");
    assert_eq!(bench.request(Method::DELETE, &path).send().await.unwrap().status(), 204);
    assert_eq!(error_code(&bench.get(&path).await.1), "itemNotFound");
}

#[tokio::test]
async fn folders_can_be_created_and_renamed() {
    let bench = start_bench().await;
    let children = format!("/users/{USER}/drive/root/children");
    let folder = json!({ "name": "new", "folder": {} });
    let post = || bench.request(Method::POST, &children).json(&folder).send();
    let (status, item) = read_json(post().await.unwrap()).await;
    assert_eq!((status.as_u16(), &item["folder"]["childCount"]), (201, &json!(0)));
    assert_eq!(post().await.unwrap().status(), 409);

    let path = format!("/users/{USER}/drive/items/{}", item["id"].as_str().unwrap());
    let change = json!({
        "name": "renamed", "fileSystemInfo": { "lastModifiedDateTime": "2020-01-02T03:04:05Z" }
    });
    let patched = bench.request(Method::PATCH, &path).json(&change).send().await.unwrap();
    let (_, item) = read_json(patched).await;
    assert_eq!(item["name"], "renamed");
    assert_eq!(item["fileSystemInfo"]["lastModifiedDateTime"], "2020-01-02T03:04:05Z");
}
