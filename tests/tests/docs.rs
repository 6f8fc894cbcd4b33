//! The commands in the documents, run as they stand there. Each block says who
//! runs it: `sh run` and `sh stack` are run here, the others by people.
//! `cargo xtask check` reads all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::Path;
use std::process::Command;

use docferry_system_tests::{Cloud, programs, stack};

/// In this order: the first puts the document into the object store that all of
/// them ask for.
const DOCUMENTS: [&str; 6] = [
    "docs/OPERATIONS.md",
    "docs/API.md",
    "docs/CLI.md",
    "docs/QUICKSTART-API.md",
    "CONTRIBUTING.md",
    "README.md",
];

/// Another test makes ORDS fail its ping for a moment, for everybody.
const PATIENT_CURL: &str = r#"curl() { command curl --retry 20 --retry-delay 1 "$@"; }"#;

#[test]
fn commands_for_any_machine_run_as_they_stand_in_the_documents() {
    assert!(run_all("sh run", &[]) >= 2);
}

#[test]
fn commands_for_a_running_system_run_as_they_stand_in_the_documents() {
    let stack = stack();
    index_the_document(&stack);
    let count = run_all(
        "sh stack",
        &[
            ("DOCFERRY_API", &stack.api),
            ("DOCFERRY_USERNAME", &stack.scv.username),
            ("DOCFERRY_PASSWORD", &stack.scv.password),
            ("ORDS_ADMIN", &stack.ords.admin),
            ("GRAPH_ADMIN", &stack.graph.admin),
        ],
    );
    assert!(count >= 5, "{count}");
}

/// Gives the document that they all ask for a number.
fn index_the_document(stack: &docferry_system_tests::Stack) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Cloud::new(stack).index(10_001, "AAECAwQFBgcICQoLDA0ODw=="));
}

/// Runs every block of that kind, and returns how many there were.
fn run_all(kind: &str, environment: &[(&str, &str)]) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut count = 0;
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        for (line, commands) in blocks(&text, kind) {
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &format!("{PATIENT_CURL}\n{commands}")])
                .current_dir(root)
                .env("PATH", with_our_programs())
                .envs(environment.iter().copied())
                .output()
                .expect("bash runs the commands");
            assert!(
                output.status.success(),
                "{document}:{line} failed ({})\n{}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            count += 1;
        }
    }
    count
}

fn with_our_programs() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([programs()].into_iter().chain(std::env::split_paths(&path))).unwrap()
}

/// The fenced blocks with this info string: where they begin, and what they hold.
fn blocks(text: &str, kind: &str) -> Vec<(usize, String)> {
    let fence = format!("```{kind}");
    let lines: Vec<_> = text.lines().collect();
    let begins = lines.iter().enumerate().filter(|(_, line)| **line == fence);
    begins
        .map(|(at, _)| {
            let body = lines[at + 1..].iter().take_while(|line| !line.starts_with("```"));
            (at + 1, body.map(|line| format!("{line}\n")).collect())
        })
        .collect()
}
