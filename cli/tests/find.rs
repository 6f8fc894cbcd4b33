//! Tests of `docferry find`, which prints the documents of a subject.
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use serde_json::{Value, json};
use support::{
    PASSWORD, STAGE, api_url, assert_exit_code, json_lines, run_docferry, stderr, stdout,
};
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

/// Token of the second page. Its characters have to be encoded in a URL.
const SECOND_PAGE: &str = "a/+=";

fn search_request() -> MockBuilder {
    Mock::given(method("GET"))
        .and(path(format!("{STAGE}/DocumentReference")))
        .and(query_param("subject.identifier", "urn:example:court-file|S-1"))
}

/// Returns a page with these documents. The next link names another host.
fn page_response(numbers: &[u64], has_next: bool) -> ResponseTemplate {
    let entry = |number: &u64| {
        json!({ "resource": {
            "resourceType": "DocumentReference",
            "id": format!("doc-{number}"),
            "identifier": [
                { "system": "urn:docferry:file-id", "value": number.to_string() },
                { "system": "urn:docferry:object-guid", "value": "AAAA" },
            ],
            "date": "2026-01-01T00:00:00Z",
            "content": [{ "attachment": {
                "contentType": "application/pdf", "size": 7, "title": "order\u{202e}.pdf",
            } }],
        } })
    };
    let entries: Vec<Value> = numbers.iter().map(entry).collect();
    let next = "https://elsewhere.example/DocumentReference?_page=a%2F%2B%3D";
    let links: Vec<Value> =
        has_next.then(|| json!({ "relation": "next", "url": next })).into_iter().collect();
    let search_set = json!({ "resourceType": "Bundle", "link": links, "entry": entries });
    ResponseTemplate::new(200).set_body_raw(search_set.to_string(), "application/fhir+json")
}

async fn serve_two_pages(server: &MockServer) {
    search_request()
        .and(query_param_is_missing("_page"))
        .respond_with(page_response(&[10_003, 10_002], true))
        .mount(server)
        .await;
    search_request()
        .and(query_param("_page", SECOND_PAGE))
        .respond_with(page_response(&[10_001], false))
        .mount(server)
        .await;
}

#[tokio::test]
async fn find_prints_the_documents_of_all_pages() {
    let server = MockServer::start().await;
    serve_two_pages(&server).await;
    let arguments = ["--json", "find", "urn:example:court-file|S-1"];

    let output = run_docferry(&api_url(&server), PASSWORD, &arguments).await;

    assert_exit_code(&output, 0);
    let lines = json_lines(&output);
    let numbers: Vec<_> = lines.iter().map(|line| line["fileId"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [10_003, 10_002, 10_001]);
    assert_eq!((&lines[0]["id"], &lines[0]["size"]), (&json!("doc-10003"), &json!(7)));
}

#[tokio::test]
async fn find_prints_names_without_direction_marks() {
    let server = MockServer::start().await;
    serve_two_pages(&server).await;
    let arguments = ["find", "urn:example:court-file|S-1", "--limit", "1"];

    let output = run_docferry(&api_url(&server), PASSWORD, &arguments).await;

    assert_exit_code(&output, 0);
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("10003 ") && text.contains("order\u{fffd}.pdf"), "{text}");
}

#[tokio::test]
async fn refused_search_shows_the_issue_of_the_outcome() {
    let server = MockServer::start().await;
    let outcome = json!({ "resourceType": "OperationOutcome", "issue": [{
        "severity": "error", "code": "value", "diagnostics": "the system is not known",
        "expression": ["subject.identifier"],
    }] });
    let response =
        ResponseTemplate::new(400).set_body_raw(outcome.to_string(), "application/fhir+json");
    search_request().respond_with(response).mount(&server).await;

    let output =
        run_docferry(&api_url(&server), PASSWORD, &["find", "urn:example:court-file|S-1"]).await;

    assert_exit_code(&output, 1);
    assert!(stderr(&output).contains("the system is not known"), "{}", stderr(&output));
}
