//! Runs the commands in the documents, unchanged. The info string of a code block says how it
//! is run: `sh run` and `sh stack` by these tests, the others by people. `cargo xtask check`
//! checks the syntax of all blocks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::Path;
use std::process::Command;

use docferry_system_tests::{Cloud, program_folder, stack};

/// The documents with commands. The order matters: the commands of the first create the
/// document that all others use.
const DOCUMENTS: [&str; 6] = [
    "docs/OPERATIONS.md",
    "docs/API.md",
    "docs/CLI.md",
    "docs/QUICKSTART-API.md",
    "CONTRIBUTING.md",
    "README.md",
];

/// Makes curl retry, because another test makes the ping of ORDS fail for a short time.
const PATIENT_CURL: &str = r#"curl() { command curl --retry 20 --retry-delay 1 "$@"; }"#;

#[test]
fn documented_commands_for_any_machine_succeed() {
    assert!(run_all("sh run", &[]) >= 2);
}

#[test]
fn documented_commands_for_a_running_system_succeed() {
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

/// Adds the document that the commands use to the index.
fn index_the_document(stack: &docferry_system_tests::Stack) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Cloud::new(stack).index_document(10_001, "AAECAwQFBgcICQoLDA0ODw=="));
}

/// Runs all blocks with this info string and returns their number.
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
    std::env::join_paths([program_folder()].into_iter().chain(std::env::split_paths(&path)))
        .unwrap()
}

/// Returns the fenced blocks with this info string: the number of the first line, and the
/// text.
fn blocks(text: &str, kind: &str) -> Vec<(usize, String)> {
    let fence = format!("```{kind}");
    let lines: Vec<_> = text.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| **line == fence);
    starts
        .map(|(at, _)| {
            let body = lines[at + 1..].iter().take_while(|line| !line.starts_with("```"));
            (at + 1, body.map(|line| format!("{line}\n")).collect())
        })
        .collect()
}
