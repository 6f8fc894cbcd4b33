//! Tests of the document registry through the deployed API: the search for documents, entitlements
//! by claim, grant and role, and withdrawals.

use docferry_app::ports::RegistryWriter as _;
use docferry_domain::document::{Coverage, DocumentKey, Grant, SubjectPatterns};
use docferry_domain::ids::FileId;
use docferry_domain::person::Person;
use docferry_system_tests::{Api, Identity, SHORT_TIMEOUT, Sandbox, eventually};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const SCOPES: &str = "docferry.read docferry.write";

/// Value of the subject of a document in the registry.
pub(crate) fn subject_of(file_id: u64) -> String {
    format!("S-{file_id}")
}

/// Searches for the documents of a subject, and returns the response.
pub(crate) async fn search(api: &Api, file_id: u64) -> Value {
    let path = format!("/DocumentReference?subject.identifier={}", subject_of(file_id));
    let response = api.request_unthrottled(Method::GET, &path, None).await;
    assert_eq!(response.status, StatusCode::OK, "{}", response.text);
    assert_eq!(response.media_type(), "application/fhir+json");
    response.json()
}

pub(crate) fn ids(search_set: &Value) -> Vec<&str> {
    let entries = search_set["entry"].as_array().into_iter().flatten();
    entries.map(|entry| entry["resource"]["id"].as_str().unwrap()).collect()
}

/// Returns the API as a person whose token covers a subject.
async fn with_claim(sandbox: &Sandbox, file_id: u64) -> Api {
    let claims = json!({
        "sub": sandbox.tag, "scope": SCOPES, "docferry_subjects": [subject_of(file_id)],
    });
    let token = Identity::new(&sandbox.stack).mint(&json!({ "claims": claims })).await;
    sandbox.api.with_token(&token)
}

#[tokio::test]
async fn person_finds_and_downloads_the_documents_of_a_claimed_subject() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let (other_id, _) = sandbox.another_document().indexed_document(1000, &[]).await;
    let api = with_claim(&sandbox, file_id).await;

    let found = search(&api, file_id).await;
    let id = format!("file-{file_id}");
    assert_eq!(ids(&found), [&id]);
    let resource = &found["entry"][0]["resource"];
    assert_eq!(resource["subject"]["identifier"]["value"], subject_of(file_id));

    let path = format!("/DocumentReference/{id}");
    assert_eq!(api.get(&path).await.json(), *resource);
    // The document of another subject equals one that does not exist.
    assert_eq!(ids(&search(&api, other_id).await), [""; 0]);
    let other = api.get(&format!("/DocumentReference/file-{other_id}")).await;
    let unknown = api.get("/DocumentReference/file-1").await;
    assert_eq!((other.status, unknown.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(other.json()["resourceType"], "OperationOutcome");
    assert_eq!(other.json(), unknown.json());

    let (api, content) = (api.without_redirects(), format!("{path}/$content"));
    let accepted = api.get(&content).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
    let ready = eventually("the content is ready", SHORT_TIMEOUT, async || {
        Some(api.get(&content).await).filter(|response| response.status == StatusCode::FOUND)
    })
    .await;
    let job = ready.headers["location"].to_str().unwrap().strip_prefix("../..").unwrap();
    assert_eq!(api.get(job).await.status, StatusCode::FOUND);
}

#[tokio::test]
async fn grant_shows_a_subject_until_it_is_revoked() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let token = Identity::new(&sandbox.stack).token_of(&sandbox.tag, SCOPES).await;
    let api = sandbox.api.with_token(&token);
    let (registry, person) = (sandbox.cloud.registry(), Person::new(&sandbox.tag));
    let subject = SubjectPatterns::default().read(None, &subject_of(file_id)).unwrap();
    let coverage = Coverage::Subject(subject);
    assert_eq!(ids(&search(&api, file_id).await), [""; 0]);

    let grant = Grant { coverage: coverage.clone(), expires_at: None };
    registry.grant(&person, &grant).await.unwrap();
    assert_eq!(ids(&search(&api, file_id).await), [format!("file-{file_id}")]);
    let check = json!({ "file_id": file_id });
    let checked = api.post_json("/v1/download/check", Some(&check)).await.json();
    assert_eq!(checked["available"], true, "{checked}");

    assert!(registry.revoke(&person, &coverage).await.unwrap());
    assert_eq!(ids(&search(&api, file_id).await), [""; 0]);
    let refused = api.post_json("/v1/download/initiate", Some(&check)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
}

#[tokio::test]
async fn withdrawal_takes_effect_with_its_answer_and_removes_the_copy() {
    let sandbox = Sandbox::new().await;
    let (file_id, document) = sandbox.indexed_document(1000, &[]).await;
    let api = with_claim(&sandbox, file_id).await;
    let job = api.create_job(&json!({ "file_id": file_id })).await;
    let status = api.wait_for_job_end(&job).await;
    assert!(status["url"].is_string(), "{status}");
    assert!(sandbox.cloud.delivered_object(&format!("downloads/{job}/0")).await.is_some());

    let key = DocumentKey::File(FileId::new(file_id));
    #[expect(clippy::disallowed_methods, reason = "the deployed system uses the real time")]
    let now = Timestamp::now();
    sandbox.cloud.registry().withdraw(&key, now).await.unwrap().unwrap();

    assert_eq!(ids(&search(&api, file_id).await), [""; 0]);
    let status = api.job_status(&job).await;
    assert_eq!((&status["status"], &status["url"]), (&json!("completed"), &Value::Null));
    let fetched = api.get(&format!("/v1/download/{job}")).await;
    assert_eq!(fetched.status, StatusCode::NOT_FOUND, "{}", fetched.text);
    let refused =
        api.post_json("/v1/download/initiate", Some(&json!({ "file_id": file_id }))).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    // A delivery by GUID is accepted, because the viewer may send documents that are not
    // registered, and then refused.
    let refused = Sandbox { guid: document.guid.clone(), ..sandbox.clone() };
    let id = refused.send().await;
    let ended = refused.wait_for_end(SHORT_TIMEOUT, &id).await;
    let withdrawn =
        "The document was withdrawn and cannot be delivered. Ask the office that keeps it.";
    assert_eq!(ended.last_error_message.as_deref(), Some(withdrawn));

    let copy = format!("downloads/{job}/0");
    eventually("a sweep removes the copy", SHORT_TIMEOUT, async || {
        sandbox.cloud.invoke("sweep", &json!({})).await.unwrap();
        sandbox.cloud.delivered_object(&copy).await.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn capability_statement_is_public_and_faulty_searches_name_the_parameter() {
    let sandbox = Sandbox::new().await;
    let public = sandbox.api.with_credentials(None);
    let capabilities = public.get("/metadata").await;
    assert_eq!(capabilities.status, StatusCode::OK, "{}", capabilities.text);
    assert_eq!(capabilities.json()["resourceType"], "CapabilityStatement");

    for (query, parameter) in [
        ("subject.identifier=urn:other%7CS-1", "subject.identifier"),
        ("subject.identifier=%20", "subject.identifier"),
        ("subject.identifier=S-1&date=xx2026", "date"),
        ("subject.identifier=S-1&_count=0", "_count"),
        ("subject.identifier=S-1&_page=x", "_page"),
    ] {
        let path = format!("/DocumentReference?{query}");
        let response = sandbox.api.request_unthrottled(Method::GET, &path, None).await;
        assert_eq!(response.status, StatusCode::BAD_REQUEST, "{query}: {}", response.text);
        let outcome = response.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{query}");
        assert!(outcome.to_string().contains(parameter), "{query}: {outcome}");
    }
}
