//! Tests of downloads through the deployed system: jobs of the downloads API put documents into the
//! delivery bucket, and the caller fetches them by presigned URLs.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use docferry_system_tests::{
    Identity, MIB, SHORT_TIMEOUT, Sandbox, docferry, eventually, json_of_success, random_file_id,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A file that was fetched by its presigned URL.
struct FetchedFile {
    status: StatusCode,
    size: u64,
    content_disposition: String,
}

/// Fetches a presigned URL without credentials.
async fn fetch(url: &str) -> FetchedFile {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = http.get(url).send().await.unwrap();
    let status = response.status();
    let disposition = response.headers().get("content-disposition");
    let content_disposition =
        disposition.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let size = response.bytes().await.unwrap().len() as u64;
    FetchedFile { status, size, content_disposition }
}

#[tokio::test]
async fn downloads_of_any_size_can_be_fetched_by_url() {
    let sandbox = Sandbox::new().await;
    let mut ids = Vec::new();
    // The first two are stored with one PUT, the third in three parts.
    for size in [0, 1000, 20 * MIB] {
        let document_sandbox = sandbox.with_suffix(&size.to_string());
        let (file_id, document) = document_sandbox.indexed_document(size, &[]).await;
        let id = sandbox.api.create_job(&json!({ "file_id": file_id })).await;
        let status = sandbox.api.wait_for_job_end(&id).await;
        assert_eq!((&status["status"], &status["progress"]), (&json!("completed"), &json!(100)));
        assert_eq!(status["items"][0]["bytesDone"], size, "{status}");

        let fetched = fetch(status["url"].as_str().unwrap()).await;
        assert_eq!((fetched.status, fetched.size), (StatusCode::OK, size));
        let disposition = fetched.content_disposition;
        assert!(disposition.contains(&document_sandbox.file_name), "{disposition}");

        let delivered = sandbox.cloud.delivered_object(&format!("downloads/{id}/0")).await.unwrap();
        assert_eq!(delivered, (size, document.sha256), "{size}");
        assert_eq!(sandbox.cloud.wait_for_execution(&id).await, "SUCCEEDED");
        ids.push(id);
    }

    assert!(sandbox.cloud.exchange_objects(&sandbox.tag).await.is_empty(), "exchange objects");
    let open_uploads = sandbox.cloud.open_multipart_uploads().await;
    let is_own = |key: &&String| ids.iter().any(|id| key.contains(id.as_str()));
    assert_eq!(open_uploads.iter().filter(is_own).count(), 0, "{open_uploads:?}");
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
    let builder = reqwest::Client::builder().no_proxy();
    let client = builder.redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client.get(format!("{}{path}", stack.api));
    let request = request.basic_auth(&scv.username, Some(&scv.password));
    let response = eventually("the request is not throttled", SHORT_TIMEOUT, async || {
        let response = request.try_clone().unwrap().send().await.unwrap();
        (response.status() != StatusCode::TOO_MANY_REQUESTS).then_some(response)
    })
    .await;
    assert_eq!(response.status(), StatusCode::FOUND);

    let url = response.headers()["location"].to_str().unwrap();
    assert_eq!(fetch(url).await.status, StatusCode::OK);
    let tampered_url = url.replacen("downloads/", "downloads/0", 1);
    assert_eq!(fetch(&tampered_url).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn batch_is_visible_only_to_its_owner() {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    let scopes = "docferry.read docferry.write docferry.documents";
    let ada = sandbox.api.with_token(&identity.token_of(&sandbox.tag, scopes).await);
    let mut file_ids = Vec::new();
    for index in 0..4 {
        let document_sandbox = sandbox.with_suffix(&index.to_string());
        let (file_id, _) = document_sandbox.indexed_document(1000 + index, &[]).await;
        file_ids.push(file_id);
    }
    let id = ada.create_job(&json!({ "file_ids": file_ids })).await;
    let status = ada.wait_for_job_end(&id).await;
    assert_eq!(status["status"], "completed", "{status}");
    for (index, item) in status["items"].as_array().unwrap().iter().enumerate() {
        assert_eq!(item["file_id"], file_ids[index]);
        assert_eq!(item["bytesDone"], 1000 + index);
    }

    // Callers other than the owner get 404.
    let subject_of_bob = format!("{}-bob", sandbox.tag);
    let bob = sandbox.api.with_token(&identity.token_of(&subject_of_bob, scopes).await);
    for path in ["status/", ""].map(|call| format!("/v1/download/{call}{id}")) {
        assert_eq!(bob.get(&path).await.status, StatusCode::NOT_FOUND);
        assert_eq!(sandbox.api.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn canceled_download_leaves_no_object_in_the_delivery_bucket() {
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
    let request_count = sandbox.ords.simulator.requests(&sandbox.tag).await.len();

    let second = sandbox.api.create_job(&json!({ "file_id": file_id })).await;
    let status = sandbox.api.wait_for_job_end(&second).await;
    assert!(status["url"].as_str().unwrap().contains(&first), "{status}");
    assert_eq!(sandbox.ords.simulator.requests(&sandbox.tag).await.len(), request_count);
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
    let line = |file_id: u64, guid: &str| {
        let record = json!({
            "id": format!("order-{file_id}"), "subject": { "value": format!("S-{file_id}") },
            "fileId": file_id, "objGuid": guid, "fileName": "order.pdf",
            "contentType": "application/pdf", "size": 7, "created": "2026-01-01T00:00:00Z",
            "indexed": "2026-01-01T00:00:00Z", "docStatus": "final", "scanResult": "clean",
        });
        format!("{record}\n")
    };
    let another_guid = sandbox.another_document().guid;
    let check = async |file_id: u64| {
        let body = json!({ "file_id": file_id });
        sandbox.api.post_json("/v1/download/check", Some(&body)).await.json()
    };
    let invalid_import = import(&format!("{}nonsense\n", line(first, &sandbox.guid))).await;
    assert_eq!(invalid_import.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&invalid_import.stderr).contains("line 2"),
        "{invalid_import:?}"
    );
    assert_eq!(check(first).await["available"], false);

    let lines = line(first, &sandbox.guid) + &line(second, &another_guid);
    let imported = json_of_success(&import(&lines).await);
    assert_eq!(imported, json!({ "stored": 2, "unchanged": 0, "conflicts": 0 }));
    assert_eq!(check(first).await["available"], true);

    let known = check(second).await;
    assert_eq!(known["fileName"], "order.pdf");
    assert_eq!(known["size"], 7);

    // A withdrawn document is not available from the response on.
    let number = second.to_string();
    let args = ["--json", "documents", "withdraw", &number, "--table", table];
    let withdrawn = json_of_success(&docferry(&sandbox.stack, &args).await);
    assert_eq!(withdrawn["id"], format!("order-{second}"));
    assert_eq!(check(second).await["available"], false);
}

#[tokio::test]
async fn person_requests_only_granted_documents() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let scopes = "docferry.read docferry.write";
    let token = Identity::new(&sandbox.stack).token_of(&sandbox.tag, scopes).await;
    let ada = sandbox.api.with_token(&token);
    let request = json!({ "file_id": file_id });
    let unknown = json!({ "file_id": random_file_id() });
    let response_to = async |body: &Value| {
        let response = ada.post_json("/v1/download/check", Some(body)).await;
        (response.status, response.json()["available"].clone())
    };
    assert_eq!(response_to(&request).await, response_to(&unknown).await);

    let table = &sandbox.stack.documents_table;
    let file = std::env::temp_dir().join(format!("{}-grants.ndjson", sandbox.tag));
    let grant = json!({ "person": sandbox.tag, "subject": format!("S-{file_id}") });
    std::fs::write(&file, grant.to_string()).unwrap();
    let args = ["--json", "grants", "import", file.to_str().unwrap(), "--table", table];
    let imported = json_of_success(&docferry(&sandbox.stack, &args).await);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(imported["stored"], 1);
    let job_id = ada.create_job(&request).await;
    assert_eq!(ada.wait_for_job_end(&job_id).await["status"], "completed");

    let subject = format!("S-{file_id}");
    let args = ["grants", "revoke", &sandbox.tag, "--subject", &subject, "--table", table];
    assert!(docferry(&sandbox.stack, &args).await.status.success());
    let refused = ada.request(Method::GET, &format!("/v1/download/{job_id}"), None).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text);
}

#[tokio::test]
async fn user_can_send_documents_only_to_their_own_onedrive() {
    let sandbox = Sandbox::new().await;
    let (file_id, document) = sandbox.indexed_document(1000, &[]).await;
    let identity = Identity::new(&sandbox.stack);
    let graph_user_id = sandbox.graph.user_id(&sandbox.email).await;
    let claims = json!({
        "sub": sandbox.tag, "scope": "docferry.read docferry.write docferry.documents", "oid": graph_user_id,
    });
    let token = identity.mint(&json!({ "claims": claims })).await;
    let user_client = sandbox.api.with_token(&token);
    let request_to = |email: &str| {
        let options = json!({
            "destination": "onedrive", "email": email, "filePath": sandbox.folder,
        });
        json!({ "file_id": file_id, "options": options })
    };
    let job_id = user_client.create_job(&request_to(&sandbox.email)).await;
    let status = user_client.wait_for_job_end(&job_id).await;
    assert_eq!(status["status"], "completed", "{status}");
    assert_eq!(sandbox.only_file_of(&sandbox.email).await.sha256, document.sha256);

    let another_user = Sandbox::new().await.email;
    for email in [another_user.as_str(), "unknown@docferry.example"] {
        let refused =
            user_client.post_json("/v1/download/initiate", Some(&request_to(email))).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    }
}
