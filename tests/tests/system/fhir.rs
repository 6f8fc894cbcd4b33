//! Tests of the FHIR resources of the deployed API by programs that this project did not write: two
//! validators and a client.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use docferry_system_tests::{Api, ApiResponse, Identity, Sandbox, program_folder};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Scopes of a caller who sees all documents.
const SCOPES: &str = "docferry.read docferry.documents";

/// Returns an environment variable that `cargo xtask test system` sets after it has installed the
/// programs.
fn variable(name: &str) -> OsString {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask test system`"))
}

/// Returns the path of a file in the folder with the installed programs.
fn fhir_file(name: &str) -> PathBuf {
    Path::new(&variable("DOCFERRY_FHIR")).join(name)
}

/// Runs a program to its end.
async fn run(mut program: Command) -> Output {
    program.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "*").env_remove("NODE_OPTIONS");
    program.stdin(Stdio::null());
    tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap()
}

/// Validates all files of a folder with both validators. Returns whether each of them accepted all
/// files, and their outputs.
async fn validate(folder: &Path) -> [(bool, String); 2] {
    let mut python = Command::new(variable("DOCFERRY_FHIR_PYTHON"));
    python.arg(fhir_file("validate.py")).arg(folder);
    let mut node = Command::new(variable("DOCFERRY_NODE"));
    node.arg(fhir_file("validate.mjs")).arg(folder);
    let (python, node) = tokio::join!(run(python), run(node));
    [python, node].map(|output| {
        let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        (output.status.success(), texts.join("\n"))
    })
}

/// Fails unless both validators accept all files of a folder.
async fn assert_valid(folder: &Path) {
    let count = std::fs::read_dir(folder).unwrap().count();
    for (accepted, text) in validate(folder).await {
        assert!(accepted && text.contains(&format!("{count} passed, 0 failed")), "{text}");
    }
}

/// Creates an empty folder for this test.
fn new_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// FHIR responses of the API in files.
struct Responses {
    api: Api,
    folder: PathBuf,
}

impl Responses {
    /// Sends a GET request and writes the body to a file.
    async fn get(&self, name: &str, path: &str, status: StatusCode) -> Value {
        self.keep(name, &self.api.get(path).await, status)
    }

    /// Writes the body of a response to a file.
    fn keep(&self, name: &str, response: &ApiResponse, status: StatusCode) -> Value {
        assert_eq!(response.status, status, "{name}: {}", response.text);
        assert_eq!(response.media_type(), "application/fhir+json", "{name}");
        std::fs::write(self.folder.join(format!("{name}.json")), &response.text).unwrap();
        response.json()
    }

    /// Follows the links from the first page of a search to its last page. Returns the number of
    /// pages.
    async fn pages(&self, base_url: &str, path: &str) -> usize {
        let (mut path, mut number) = (path.to_owned(), 0);
        loop {
            number += 1;
            let search_set = self.get(&format!("page-{number}"), &path, StatusCode::OK).await;
            let mut links = search_set["link"].as_array().unwrap().iter();
            let Some(next) = links.find(|link| link["relation"] == "next") else { return number };
            path = next["url"].as_str().unwrap().strip_prefix(base_url).unwrap().to_owned();
        }
    }
}

#[tokio::test]
async fn responses_of_the_deployed_api_are_valid_fhir() {
    let sandbox = Sandbox::new().await;
    let subject = sandbox.register_subject(25).await;
    let token = Identity::new(&sandbox.stack).token_of(&sandbox.tag, SCOPES).await;
    let api = sandbox.api.with_token(&token);
    let responses = Responses { api: api.clone(), folder: new_folder("fhir-responses") };
    let search =
        |parameters: &str| format!("/DocumentReference?subject.identifier={subject}&{parameters}");

    let pages = responses.pages(&sandbox.stack.api, &search("_count=10&_sort=date")).await;
    assert_eq!(pages, 3);
    let all = responses.get("all", &search(""), StatusCode::OK).await;
    assert_eq!(all["total"], 25);
    let id = all["entry"][0]["resource"]["id"].as_str().unwrap();
    let one = format!("/DocumentReference/{id}");
    responses.get("document", &one, StatusCode::OK).await;
    let count = responses.get("count", &search("_summary=count"), StatusCode::OK).await;
    assert_eq!(count["total"], 25);
    let empty = "/DocumentReference?subject.identifier=S-0";
    assert_eq!(responses.get("empty", empty, StatusCode::OK).await["total"], 0);
    let by_form = api.post_form("/DocumentReference/_search", &format!("_id={id}")).await;
    responses.keep("by-form", &by_form, StatusCode::OK);
    let public = sandbox.api.with_credentials(None);
    responses.keep("metadata", &public.get("/metadata").await, StatusCode::OK);

    let faulty = "type:not=a&date=xx2026&_count=0";
    for (name, path, status) in [
        ("unknown", "/DocumentReference/unknown", StatusCode::NOT_FOUND),
        ("malformed", "/DocumentReference/a_b/$content", StatusCode::NOT_FOUND),
        ("no-subject", "/DocumentReference", StatusCode::BAD_REQUEST),
        ("faulty", &search(faulty), StatusCode::BAD_REQUEST),
        ("token", &search("_page=x"), StatusCode::BAD_REQUEST),
    ] {
        responses.get(name, path, status).await;
    }
    let outcome = responses.get("faulty", &search(faulty), StatusCode::BAD_REQUEST).await;
    assert_eq!(outcome["issue"].as_array().unwrap().len(), 3, "{outcome}");
    let json = api.request_unthrottled(Method::POST, "/DocumentReference/_search", Some("{}"));
    responses.keep("media-type", &json.await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let writer = Identity::new(&sandbox.stack).token_of(&sandbox.tag, "docferry.write").await;
    let refused = sandbox.api.with_token(&writer).get(&one).await;
    responses.keep("forbidden", &refused, StatusCode::FORBIDDEN);
    assert_valid(&responses.folder).await;
}

#[tokio::test]
async fn samples_are_valid_fhir_and_broken_ones_are_rejected() {
    let folder = new_folder("fhir-samples");
    let mut samples = Command::new(program_folder().join("examples/samples"));
    samples.arg(&folder);
    assert!(run(samples).await.status.success());
    assert_valid(&folder).await;

    // Without this, validators that accept everything would go unnoticed.
    let file = folder.join("document-0.json");
    let mut document: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    document["status"] = "valid".into();
    document["colour"] = "red".into();
    std::fs::write(file, document.to_string()).unwrap();
    for (accepted, text) in validate(&folder).await {
        assert!(!accepted && text.contains("1 failed"), "{text}");
    }
}

#[tokio::test]
async fn public_fhir_client_searches_pages_and_reads() {
    let sandbox = Sandbox::new().await;
    let subject = sandbox.register_subject(25).await;
    let token = Identity::new(&sandbox.stack).token_of(&sandbox.tag, SCOPES).await;
    let input = json!({
        "api": sandbox.stack.api, "token": token, "subject": subject, "count": 10,
    });
    let mut client = Command::new(variable("DOCFERRY_FHIR_PYTHON"));
    client.arg(fhir_file("client.py")).env("DOCFERRY_FHIR_INPUT", input.to_string());
    let output = run(client).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ids: Vec<_> = (0..25).map(|number| format!("{subject}-{number}")).collect();
    let expected = json!({
        "ids": ids,
        "pages": 3,
        "newest": ids[24],
        "first": true,
        "byId": true,
        "byDate": 2,
        "title": "document 0.pdf",
        "unknown": "not-found",
        "invalid": "value",
        "stranger": "UNAUTHORIZED",
    });
    assert_eq!(printed, expected);
}
