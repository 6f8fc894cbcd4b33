//! Property test of the deployed API. [Schemathesis] generates valid and invalid requests
//! from `openapi.yaml` and checks the responses against it.
//!
//! [Schemathesis]: https://schemathesis.readthedocs.io
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that reads settings and prints its results"
)]

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use docferry_openapi::Description;
use docferry_system_tests::{Identity, Sandbox};
use serde_json::{Value, json};

/// Default of `DOCFERRY_API_CASES`, the number of random cases. The cases that the
/// description requires (each limit, each missing member, each undefined method) are about a
/// thousand more.
const DEFAULT_CASES: usize = 300;

/// Number of documents that requests can use.
const DOCUMENTS: u64 = 5;

/// All scopes, so that no request is refused for lack of one.
const SCOPES: &str = "docferry.read docferry.write docferry.delegate docferry.service";

#[tokio::test]
async fn generated_requests_get_responses_that_match_the_description() {
    let cases = setting("DOCFERRY_API_CASES").map_or(DEFAULT_CASES, |cases| cases.parse().unwrap());
    let seed = setting("DOCFERRY_API_SEED").unwrap_or_else(|| "1".to_owned());
    let sandbox = Sandbox::new().await;
    let file_ids = create_documents(&sandbox).await;
    let options = json!({
        "claims": { "sub": sandbox.tag, "scope": SCOPES },
        // A run may take longer than the default lifetime of tokens.
        "expiresIn": 7200
    });
    let token = Identity::new(&sandbox.stack).mint(&options).await;

    let report = std::env::temp_dir().join(format!("{}.json", sandbox.tag));
    let calls = Description::of_project().unwrap().operations().count();
    let mut command = Command::new(program());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    command
        .arg("--no-color")
        .arg("--config-file")
        .arg(folder.join("schemathesis/schemathesis.toml"))
        .arg("run")
        .arg(folder.join("../openapi.yaml"))
        .args(["--url", &sandbox.stack.api, "--seed", &seed])
        .args(["--max-examples", &cases.div_ceil(calls).to_string()])
        .args(["--report", "json", "--report-json-path"])
        .arg(&report)
        // Schemathesis must not read configuration files of this repository.
        .current_dir(std::env::temp_dir())
        .env("SCHEMATHESIS_HOOKS", folder.join("schemathesis/hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*")
        .env("DOCFERRY_TOKEN", token)
        .env("DOCFERRY_API_FILES", file_ids);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();

    let report_json = std::fs::read(&report).unwrap_or_default();
    // After a failure there may be no report.
    let _ = std::fs::remove_file(&report);
    let report_json: Value = serde_json::from_slice(&report_json).unwrap_or_default();
    let generated = report_json["test_cases"]["generated"].as_u64().unwrap_or_default();
    println!("{generated} cases, seed {seed}\n{}", format_accepted_by_call(&report_json));
    assert!(output.status.success(), "{}", output_text(&output));
    assert!(generated >= cases as u64, "only {generated} of {cases} cases");
    // If no request was accepted, the run tested only error responses.
    for call in ["POST /v1/download/initiate", "GET /v1/download/status/{jobId}"] {
        let count = count_accepted(&report_json["valid_rates"][call]);
        assert!(count > 0, "no request of {call} was accepted");
    }
}

/// Returns an environment variable that is set and not empty.
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the path of Schemathesis.
fn program() -> OsString {
    std::env::var_os("DOCFERRY_SCHEMATHESIS").expect(
        "DOCFERRY_SCHEMATHESIS is not set: it is the path of the program schemathesis.\n\
         `cargo xtask test system` installs the program and sets the variable.\n",
    )
}

/// Creates documents and returns their numbers, separated by commas.
async fn create_documents(sandbox: &Sandbox) -> String {
    let mut files = Vec::new();
    for n in 0..DOCUMENTS {
        let single = sandbox.with_suffix(&n.to_string());
        let (file_id, _) = single.indexed_document(1000 + n, &[]).await;
        files.push(file_id.to_string());
    }
    files.join(",")
}

/// Returns the number of accepted requests of a call.
fn count_accepted(rates: &Value) -> u64 {
    let phases = rates.as_object().into_iter().flatten();
    phases.filter_map(|(_, phase)| phase["accepted"].as_u64()).sum()
}

/// Formats the number of accepted requests, one line per call.
fn format_accepted_by_call(report_json: &Value) -> String {
    let calls = report_json["valid_rates"].as_object().into_iter().flatten();
    let lines = calls.map(|(call, rates)| format!("{:>6} accepted  {call}", count_accepted(rates)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the output of the program. It includes curl commands that repeat failed requests.
fn output_text(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    texts.join("\n")
}
