//! Shows the document registry in the demo: an operator imports a few records, a person searches
//! for the documents of a court file, and a document is withdrawn.
//!
//! The *document registry* is the table with a record of each document. A *withdrawal* makes a
//! document unavailable for good.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};

use super::scenario::Item;
use crate::binaries;
use crate::paths::Paths;
use crate::process::run_quietly;
use crate::stack::Stack;

/// Number of the document that the demo downloads, chosen arbitrarily.
pub(super) const FILE_ID: u64 = 20_260_001;
/// Number of the document that the demo withdraws.
const WITHDRAWN_FILE_ID: u64 = 20_260_002;
/// Number of the document of the other court file.
const OTHER_FILE_ID: u64 = 20_260_003;
/// Court file that the person of the demo may see.
const COURT_FILE: &str = "VLC-S-S-123456";
/// Court file that the person may not see.
const OTHER_COURT_FILE: &str = "VLC-S-S-654321";

/// Imports three records into the registry, as an operator does: the document of the download, and
/// two that exist in the registry only.
pub(super) fn import(paths: &Paths, stack: &Stack, item: &Item) -> Result<()> {
    let record = |file_id: u64, court_file: &str, guid: &str, name: &str, size: u64| {
        json!({
            "id": format!("demo-{file_id}"), "subject": { "value": court_file },
            "fileId": file_id, "objGuid": guid, "fileName": name,
            "contentType": item.mimetype, "size": size, "created": "2026-01-01T00:00:00Z",
            "indexed": "2026-01-01T00:00:00Z", "docStatus": "final", "scanResult": "clean",
        })
    };
    let records = [
        record(FILE_ID, COURT_FILE, &item.guid, item.filename, item.size()),
        record(WITHDRAWN_FILE_ID, COURT_FILE, "ZGVtbyBvZiBhIHJlY29yZA==", "draft.pdf", 1_000),
        record(OTHER_FILE_ID, OTHER_COURT_FILE, "b3RoZXIgY291cnQgZmlsZQ==", "other.pdf", 1_000),
    ];
    let file = paths.target.join("demo").join("documents.ndjson");
    std::fs::write(&file, records.map(|record| format!("{record}\n")).concat())?;
    run_as_operator(paths, stack, &["documents", "import", &file.to_string_lossy()], "import.log")
}

/// Searches as a person whose token names one court file, and withdraws a document between two
/// searches. Prints the results and returns an error if they are not as expected.
pub(super) async fn search_and_withdraw(paths: &Paths, stack: &Stack) -> Result<()> {
    let http = Client::builder().no_proxy().build()?;
    let claims = json!({
        "sub": "ada", "scope": "docferry.read", "docferry_subjects": [COURT_FILE],
    });
    let token_request = http.post(format!("{}/mint", stack.identity.admin));
    let token_request = token_request.json(&json!({ "claims": claims }));
    let response = token_request.send().await?.error_for_status()?;
    let token = response.json::<Value>().await?["token"].take();
    let token = token.as_str().context("the identity provider returned no token")?;

    let visible = search(&http, stack, token, COURT_FILE).await?;
    println!("Search for {COURT_FILE} as a person: {}.", visible.join(", "));
    ensure!(visible.len() == 2, "the search found {} documents, not 2", visible.len());
    let hidden = search(&http, stack, token, OTHER_COURT_FILE).await?;
    println!(
        "Search for {OTHER_COURT_FILE}, which the person may not see: {} found.",
        hidden.len()
    );
    ensure!(hidden.is_empty(), "the search found documents that the person may not see");

    let number = WITHDRAWN_FILE_ID.to_string();
    run_as_operator(paths, stack, &["documents", "withdraw", &number], "withdraw.log")?;
    let remaining = search(&http, stack, token, COURT_FILE).await?;
    println!("The same search after a withdrawal: {}.\n", remaining.join(", "));
    ensure!(remaining.len() == 1, "the search found {} documents, not 1", remaining.len());
    Ok(())
}

/// Returns the names of the documents of a court file.
async fn search(
    http: &Client,
    stack: &Stack,
    token: &str,
    court_file: &str,
) -> Result<Vec<String>> {
    let request = http.get(format!("{}/DocumentReference", stack.api)).bearer_auth(token);
    let request = request.query(&[("subject.identifier", court_file)]);
    let search_set: Value = request.send().await?.error_for_status()?.json().await?;
    let entries = search_set["entry"].as_array().into_iter().flatten();
    let names = entries.filter_map(|entry| entry["resource"]["description"].as_str());
    Ok(names.map(str::to_owned).collect())
}

/// Runs a command of the command line with the credentials of an operator.
fn run_as_operator(paths: &Paths, stack: &Stack, arguments: &[&str], log: &str) -> Result<()> {
    let mut command = Command::new(binaries::program(paths, "docferry"));
    command.args(arguments).args(["--table", &stack.documents_table]);
    run_quietly(as_operator(&mut command, stack), &paths.target.join("demo").join(log))
}

/// Gives a command the credentials of an operator.
pub(super) fn as_operator<'a>(command: &'a mut Command, stack: &Stack) -> &'a mut Command {
    command
        .env("AWS_ENDPOINT_URL", &stack.emulator)
        .env("AWS_REGION", &stack.region)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
}
