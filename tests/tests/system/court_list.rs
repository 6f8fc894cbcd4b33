//! Tests of court lists: jobs that a service requests by the GUIDs of their documents.

use std::collections::BTreeMap;

use docferry_app::ports::{BatchStore as _, RegistryWriter as _, TransferStore as _};
use docferry_domain::document::{CaseClass, DocumentKey};
use docferry_domain::ids::TransferId;
use docferry_system_tests::{Identity, Sandbox, random_file_id};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Path of the call that creates a job.
const INITIATE_PATH: &str = "/v1/download/initiate";

/// Request for a court list into the OneDrive of the sandbox's recipient.
fn court_list(sandbox: &Sandbox, guids: &[String]) -> Value {
    json!({
        "objGuids": guids,
        "courtFile": "VLC-S-S-123456",
        "class": "criminal",
        "onItemError": "skip",
        "options": {
            "destination": "onedrive", "email": sandbox.email, "filePath": sandbox.folder,
        },
    })
}

#[tokio::test]
async fn court_list_is_one_job_with_a_result_for_each_document() {
    let sandbox = Sandbox::new().await;
    let (mut guids, mut expected_files) = (Vec::new(), BTreeMap::new());
    for index in 0..3 {
        let document_sandbox = sandbox.with_suffix(&index.to_string());
        // The registry has only the first document.
        let document = if index == 0 {
            document_sandbox.indexed_document(1000, &[]).await.1
        } else {
            document_sandbox.document(1000 + index).await
        };
        expected_files.insert(sandbox.path_of(&document_sandbox.file_name), document.sha256);
        guids.push(document_sandbox.guid);
    }
    // Neither the registry nor the source has this document.
    guids.insert(1, sandbox.another_document().guid);

    let body = court_list(&sandbox, &guids);
    let job_id = sandbox.api.create_job(&body).await;
    let status = sandbox.api.wait_for_job_end(&job_id).await;

    assert_eq!((&status["status"], &status["failedItems"]), (&json!("completed"), &json!(1)));
    for (index, item) in status["items"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&item["objGuid"], &item["file_id"]), (&json!(guids[index]), &Value::Null));
        let code = if index == 1 { json!("SOURCE_NOT_FOUND") } else { Value::Null };
        assert_eq!(item["error"]["code"], code, "{item}");
    }
    let files = sandbox.graph.files(&sandbox.email).await;
    let delivered: BTreeMap<_, _> =
        files.into_iter().map(|file| (file.path, file.sha256)).collect();
    assert_eq!(delivered, expected_files);

    let results = sandbox.api.get(&format!("/v1/download/{job_id}")).await.json();
    let items = results["items"].as_array().unwrap();
    let delivered: Vec<_> = items.iter().map(|item| item["objGuid"].as_str().unwrap()).collect();
    assert_eq!(delivered, [&guids[0], &guids[2], &guids[3]]);
    assert!(items.iter().all(|item| item["webUrl"].is_string()), "{results}");

    let (store, id): (_, TransferId) = (sandbox.cloud.store(), job_id.parse().unwrap());
    let (batch, _) = store.batch(&id).await.unwrap().unwrap();
    let document = store.get(&id.document(1)).await.unwrap().unwrap();
    for case in [batch.spec.case, document.spec.case] {
        assert_eq!(case.court_file.unwrap().as_str(), "VLC-S-S-123456");
        assert_eq!(case.class, Some(CaseClass::Criminal));
    }
}

#[tokio::test]
async fn court_list_with_a_withdrawn_document_is_refused_with_its_pointer() {
    let sandbox = Sandbox::new().await;
    let withdrawn = sandbox.another_document().guid;
    sandbox.cloud.index_document(random_file_id(), &withdrawn).await;
    let key = DocumentKey::Object(withdrawn.parse().unwrap());
    #[expect(clippy::disallowed_methods, reason = "the deployed system uses the real time")]
    let now = Timestamp::now();
    sandbox.cloud.registry().withdraw(&key, now).await.unwrap().unwrap();

    let body = court_list(&sandbox, &[sandbox.guid.clone(), withdrawn]);
    let refused = sandbox.api.post_json(INITIATE_PATH, Some(&body)).await;

    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert_eq!(refused.json()["errors"][0]["pointer"], "/objGuids/1");
    assert!(sandbox.ords.simulator.requests(&sandbox.guid).await.is_empty());
}

#[tokio::test]
async fn person_with_all_other_scopes_may_not_name_guids() {
    let sandbox = Sandbox::new().await;
    sandbox.document(1000).await;
    let scopes = "docferry.read docferry.write docferry.delegate docferry.documents";
    let token = Identity::new(&sandbox.stack).token_of(&sandbox.tag, scopes).await;
    let person = sandbox.api.with_token(&token);

    let body = court_list(&sandbox, std::slice::from_ref(&sandbox.guid));
    let refused = person.post_json(INITIATE_PATH, Some(&body)).await;

    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert_eq!(refused.json()["code"], "FORBIDDEN");
    assert!(sandbox.ords.simulator.requests(&sandbox.guid).await.is_empty());
}

/// The body has about 390 KiB, which API Gateway and the function must pass on.
#[tokio::test]
async fn long_court_list_passes_the_gateway_and_too_long_ones_get_413() {
    let sandbox = Sandbox::new().await;
    let guids: Vec<_> = (0..1000).map(|number| format!("{number:0>256}")).collect();
    let long = json!({ "objGuids": guids, "class": "family", "label": "x".repeat(128 * 1024) });
    let refused = sandbox.api.post_json(INITIATE_PATH, Some(&long)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert_eq!(refused.json()["errors"][0]["pointer"], "/class");

    let too_long = json!({ "objGuids": guids, "label": "x".repeat(512 * 1024) });
    let refused = sandbox.api.post_json(INITIATE_PATH, Some(&too_long)).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", refused.text);
}
