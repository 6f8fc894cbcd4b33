//! Property test of the deployed API. The program [Schemathesis] generates valid and invalid requests
//! from `openapi.yaml` and checks that the responses conform to it.
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

/// Default of `DOCFERRY_API_CASES`, the number of random requests.
///
/// Schemathesis also sends about a thousand requests that are not random. Such a request has a value
/// at a limit of `openapi.yaml`, lacks one member, or uses a method that `openapi.yaml` does not
/// contain.
const DEFAULT_CASES: usize = 300;

/// Number of existing documents that requests can use.
const DOCUMENT_COUNT: u64 = 5;

/// All scopes, so that no request is refused because a scope is missing.
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

    let report_file = std::env::temp_dir().join(format!("{}.json", sandbox.tag));
    let call_count = Description::of_project().unwrap().operations().count();
    let mut command = Command::new(program());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    command
        .arg("--no-color")
        .arg("--config-file")
        .arg(folder.join("schemathesis/schemathesis.toml"))
        .arg("run")
        .arg(folder.join("../openapi.yaml"))
        .args(["--url", &sandbox.stack.api, "--seed", &seed])
        .args(["--max-examples", &cases.div_ceil(call_count).to_string()])
        .args(["--report", "json", "--report-json-path"])
        .arg(&report_file)
        // Schemathesis must not read configuration files of this repository.
        .current_dir(std::env::temp_dir())
        .env("SCHEMATHESIS_HOOKS", folder.join("schemathesis/hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*")
        .env("DOCFERRY_TOKEN", token)
        .env("DOCFERRY_API_FILES", file_ids);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();

    // After a failure there may be no report.
    let report_bytes = std::fs::read(&report_file).unwrap_or_default();
    let _ = std::fs::remove_file(&report_file);
    let report: Value = serde_json::from_slice(&report_bytes).unwrap_or_default();
    let generated = report["test_cases"]["generated"].as_u64().unwrap_or_default();
    println!("{generated} cases, seed {seed}\n{}", format_accepted_by_call(&report));
    assert!(output.status.success(), "{}", output_text(&output));
    assert!(generated >= cases as u64, "only {generated} of {cases} cases");
    // If no request was accepted, the run tested only error responses.
    for call in ["POST /v1/download/initiate", "GET /v1/download/status/{jobId}"] {
        let count = count_accepted(&report["valid_rates"][call]);
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
    let mut file_ids = Vec::new();
    for index in 0..DOCUMENT_COUNT {
        let document_sandbox = sandbox.with_suffix(&index.to_string());
        let (file_id, _) = document_sandbox.indexed_document(1000 + index, &[]).await;
        file_ids.push(file_id.to_string());
    }
    file_ids.join(",")
}

/// Returns the number of accepted requests of a call.
fn count_accepted(rates: &Value) -> u64 {
    let phases = rates.as_object().into_iter().flatten();
    phases.filter_map(|(_, phase)| phase["accepted"].as_u64()).sum()
}

/// Formats the number of accepted requests, one line per call.
fn format_accepted_by_call(report: &Value) -> String {
    let calls = report["valid_rates"].as_object().into_iter().flatten();
    let lines = calls.map(|(call, rates)| format!("{:>6} accepted  {call}", count_accepted(rates)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the output of Schemathesis. The output includes curl commands that repeat the failed
/// requests.
fn output_text(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    texts.join("\n")
}
