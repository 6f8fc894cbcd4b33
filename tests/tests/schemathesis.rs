//! The deployed API under requests that nobody thought of. [Schemathesis] makes them from
//! `openapi.yaml`, good ones and bad ones, and holds the answers against it.
//!
//! [Schemathesis]: https://schemathesis.readthedocs.io
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test with settings, which prints its figures"
)]

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use docferry_openapi::Description;
use docferry_system_tests::{Identity, Sandbox};
use serde_json::{Value, json};

/// Cases without `DOCFERRY_API_CASES`. What the description itself makes necessary (each
/// bound, each member missing, each method too many) are about a thousand more.
const CASES: usize = 300;

/// Documents that requests are led to.
const DOCUMENTS: u64 = 5;

const SCOPES: &str = "docferry.read docferry.write docferry.delegate docferry.service";

#[tokio::test]
async fn whatever_is_asked_the_answer_is_as_described_and_no_fault_of_the_server() {
    let cases = setting("DOCFERRY_API_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let seed = setting("DOCFERRY_API_SEED").unwrap_or_else(|| "1".to_owned());
    let sandbox = Sandbox::new().await;
    let files = documents(&sandbox).await;
    let wish = json!({
        "claims": { "sub": sandbox.tag, "scope": SCOPES },
        // A run may take longer than tokens last.
        "expiresIn": 7200
    });
    let token = Identity::new(&sandbox.stack).mint(&wish).await;

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
        // What tools find of ours in the working folder is not meant for them.
        .current_dir(std::env::temp_dir())
        .env("SCHEMATHESIS_HOOKS", folder.join("schemathesis/hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*")
        .env("DOCFERRY_TOKEN", token)
        .env("DOCFERRY_API_FILES", files);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();

    let told = std::fs::read(&report).unwrap_or_default();
    let _not_there_after_a_failure = std::fs::remove_file(&report);
    let told: Value = serde_json::from_slice(&told).unwrap_or_default();
    let made = told["test_cases"]["generated"].as_u64().unwrap_or_default();
    println!("{made} cases, seed {seed}\n{}", of_each_call(&told));
    assert!(output.status.success(), "{}", said(&output));
    assert!(made >= cases as u64, "only {made} cases of {cases}");
    // A run in which nothing was accepted would prove little.
    for call in ["POST /v1/download/initiate", "GET /v1/download/status/{jobId}"] {
        assert!(accepted(&told["valid_rates"][call]) > 0, "{call} accepted nothing");
    }
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn program() -> OsString {
    std::env::var_os("DOCFERRY_SCHEMATHESIS").expect(
        "DOCFERRY_SCHEMATHESIS is not set: it names the program schemathesis.\n\
         `cargo xtask test system` puts it among the project's tools and sets it.\n",
    )
}

/// Makes documents that can be had; returns their numbers.
async fn documents(sandbox: &Sandbox) -> String {
    let mut files = Vec::new();
    for n in 0..DOCUMENTS {
        let file_name = format!("{}-{n}.pdf", sandbox.tag);
        let one = Sandbox { file_name, ..sandbox.another_document() };
        let document = one.document(1000 + n).await;
        let file = fastrand::u64(1_000_000..100_000_000);
        sandbox.cloud.index(file, &document.guid).await;
        files.push(file.to_string());
    }
    files.join(",")
}

/// How many requests of a call were accepted.
fn accepted(rates: &Value) -> u64 {
    let phases = rates.as_object().into_iter().flatten();
    phases.filter_map(|(_, phase)| phase["accepted"].as_u64()).sum()
}

/// A line a call.
fn of_each_call(told: &Value) -> String {
    let calls = told["valid_rates"].as_object().into_iter().flatten();
    let lines = calls.map(|(call, rates)| format!("{:>6} accepted  {call}", accepted(rates)));
    lines.collect::<Vec<_>>().join("\n")
}

/// What the program said; requests that can be sent again with curl are in it.
fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    texts.join("\n")
}
