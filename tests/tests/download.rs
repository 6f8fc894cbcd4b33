//! Tests of downloads, through the deployed system with IAM enforcement.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use docferry_system_tests::{
    Identity, MIB, SHORT_TIMEOUT, Sandbox, docferry, eventually, json_of_success, random_file_id,
};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// Fetches a URL. Returns the status, the size of the body and the `Content-Disposition`.
async fn fetch_size(url: &str) -> (StatusCode, u64, String) {
    let response = reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await;
    let response = response.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let disposition = headers.get("content-disposition");
    let disposition = disposition.map(|value| value.to_str().unwrap().to_owned());
    (status, response.bytes().await.unwrap().len() as u64, disposition.unwrap_or_default())
}

#[tokio::test]
async fn downloads_of_any_size_can_be_fetched_by_url() {
    let sandbox = Sandbox::new().await;
    let mut ids = Vec::new();
    // The first two are stored with one PUT, the third in three parts.
    for size in [0, 1000, 20 * MIB] {
        let single = sandbox.with_suffix(&size.to_string());
        let (file_id, document) = single.indexed_document(size, &[]).await;
        let id = sandbox.api.create_job(&json!({ "file_id": file_id })).await;
        let status = sandbox.api.wait_for_job_end(&id).await;
        assert_eq!((&status["status"], &status["progress"]), (&json!("completed"), &json!(100)));
        assert_eq!(status["items"][0]["bytesDone"], size, "{status}");

        let (fetched, bytes, disposition) = fetch_size(status["url"].as_str().unwrap()).await;
        assert_eq!((fetched, bytes), (StatusCode::OK, size));
        assert!(disposition.contains(&single.file_name), "{disposition}");

        let delivered = sandbox.cloud.delivered_object(&format!("downloads/{id}/0")).await.unwrap();
        assert_eq!(delivered, (size, document.sha256), "{size}");
        assert_eq!(sandbox.cloud.wait_for_execution(&id).await, "SUCCEEDED");
        ids.push(id);
    }

    assert!(sandbox.cloud.exchange_objects(&sandbox.tag).await.is_empty(), "exchange objects");
    let open = sandbox.cloud.open_multipart_uploads().await;
    let ours = open.iter().filter(|key| ids.iter().any(|id| key.contains(id.as_str())));
    assert_eq!(ours.count(), 0, "{open:?}");
}

#[tokio::test]
async fn fetch_returns_409_before_and_redirect_after_completion() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[("moverDelayMs", "8000")]).await;
    let id = sandbox.api.create_job(&json!({ "file_id": file_id })).await;
    let path = format!("/v1/download/{id}");
    assert_eq!(sandbox.api.get(&path).await.status, StatusCode::CONFLICT);

    sandbox.api.wait_for_job_end(&id).await;
    let (stack, scv) = (&sandbox.stack, &sandbox.stack.scv);
    let client = reqwest::Client::builder().no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client.get(format!("{}{path}", stack.api));
    let request = request.basic_auth(&scv.username, Some(&scv.password));
    let answer = eventually("the request is not throttled", SHORT_TIMEOUT, async || {
        let answer = request.try_clone().unwrap().send().await.unwrap();
        (answer.status() != StatusCode::TOO_MANY_REQUESTS).then_some(answer)
    })
    .await;
    assert_eq!(answer.status(), StatusCode::FOUND);

    let url = answer.headers()["location"].to_str().unwrap();
    assert_eq!(fetch_size(url).await.0, StatusCode::OK);
    let tampered = url.replacen("downloads/", "downloads/0", 1);
    assert_eq!(fetch_size(&tampered).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn batch_is_visible_only_to_its_owner() {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    let scopes = "docferry.read docferry.write";
    let ada = sandbox.api.with_token(&identity.token_of(&sandbox.tag, scopes).await);
    let mut files = Vec::new();
    for n in 0..4 {
        let single = sandbox.with_suffix(&n.to_string());
        files.push(single.indexed_document(1000 + n, &[]).await.0);
    }
    let id = ada.create_job(&json!({ "file_ids": files })).await;
    let status = ada.wait_for_job_end(&id).await;
    assert_eq!(status["status"], "completed", "{status}");
    for (n, item) in status["items"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&item["file_id"], &item["bytesDone"]), (&json!(files[n]), &json!(1000 + n)));
    }

    // For other callers the job does not exist.
    let other = format!("{}-other", sandbox.tag);
    let bob = sandbox.api.with_token(&identity.token_of(&other, scopes).await);
    for path in ["status/", ""].map(|call| format!("/v1/download/{call}{id}")) {
        assert_eq!(bob.get(&path).await.status, StatusCode::NOT_FOUND);
        assert_eq!(sandbox.api.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn canceled_download_leaves_nothing_in_the_bucket() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[("moverDelayMs", "8000")]).await;
    let id = sandbox.api.create_job(&json!({ "file_id": file_id })).await;
    let path = format!("/v1/download/cancel/{id}");
    let canceled = sandbox.api.request(Method::POST, &path, None).await;
    assert_eq!(canceled.status, StatusCode::ACCEPTED, "{}", canceled.text);
    assert_eq!(sandbox.api.wait_for_job_end(&id).await["status"], "canceled");
    assert_eq!(sandbox.cloud.delivered_object(&format!("downloads/{id}/0")).await, None);
    let repeated = sandbox.api.request(Method::POST, &path, None).await;
    assert_eq!(repeated.status, StatusCode::CONFLICT, "{}", repeated.text);
}

#[tokio::test]
async fn second_download_reuses_the_delivered_document() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let first = sandbox.api.create_job(&json!({ "file_id": file_id })).await;
    sandbox.api.wait_for_job_end(&first).await;
    let pushes = sandbox.ords.0.requests(&sandbox.tag).await.len();
    let second = sandbox.api.create_job(&json!({ "file_id": file_id })).await;
    let status = sandbox.api.wait_for_job_end(&second).await;
    assert!(status["url"].as_str().unwrap().contains(&first), "{status}");
    assert_eq!(sandbox.ords.0.requests(&sandbox.tag).await.len(), pushes);
}

#[tokio::test]
async fn imported_documents_are_available_and_invalid_files_import_nothing() {
    let sandbox = Sandbox::new().await;
    let (first, second) = (random_file_id(), random_file_id());
    let table = &sandbox.stack.documents_table;
    let import = async |lines: &str| {
        let file = std::env::temp_dir().join(format!("{}.ndjson", sandbox.tag));
        std::fs::write(&file, lines).unwrap();
        let path = file.to_str().unwrap();
        let args = ["--json", "documents", "import", path, "--table", table];
        let output = docferry(&sandbox.stack, &args).await;
        std::fs::remove_file(&file).unwrap();
        output
    };
    let line = |file: u64, more: &str| {
        format!("{{\"file_id\": {file}, \"objectGuid\": \"{}\"{more}}}\n", sandbox.guid)
    };
    let check = async |file_id: u64| {
        let body = json!({ "file_id": file_id });
        sandbox.api.post_json("/v1/download/check", Some(&body)).await.json()
    };
    let invalid = import(&format!("{}nonsense\n", line(first, ""))).await;
    assert_eq!(invalid.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&invalid.stderr).contains("line 2"), "{invalid:?}");
    assert_eq!(check(first).await["available"], false);

    let more = ", \"name\": \"order.pdf\", \"size\": 7";
    let lines = line(first, "") + &line(second, more);
    assert_eq!(json_of_success(&import(&lines).await)["imported"], 2);
    assert_eq!(check(first).await["available"], true);

    let known = check(second).await;
    assert_eq!((&known["fileName"], &known["size"]), (&json!("order.pdf"), &json!(7)));
}

#[tokio::test]
async fn user_can_send_documents_only_to_their_own_onedrive() {
    let sandbox = Sandbox::new().await;
    let (file_id, document) = sandbox.indexed_document(1000, &[]).await;
    let identity = Identity::new(&sandbox.stack);
    let user = sandbox.graph.user_id(&sandbox.email).await;
    let claims = json!({
        "sub": sandbox.tag, "scope": "docferry.read docferry.write", "oid": user,
    });
    let token = identity.mint(&json!({ "claims": claims })).await;
    let own = sandbox.api.with_token(&token);
    let request_to = |email: &str| {
        let options = json!({
            "destination": "onedrive", "email": email, "filePath": sandbox.folder,
        });
        json!({ "file_id": file_id, "options": options })
    };
    let job_id = own.create_job(&request_to(&sandbox.email)).await;
    let status = own.wait_for_job_end(&job_id).await;
    assert_eq!(status["status"], "completed", "{status}");
    assert_eq!(sandbox.only_file_of(&sandbox.email).await.sha256, document.sha256);

    let other = Sandbox::new().await.email;
    for email in [other.as_str(), "unknown@docferry.example"] {
        let refused = own.post_json("/v1/download/initiate", Some(&request_to(email))).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    }
}
