//! Runs the commands in the project's documents unchanged. The tests run the code blocks with the
//! info strings `sh run` (runs on any machine) and `sh stack` (needs a deployed system). All other
//! blocks are run only by people. `cargo xtask check` checks the syntax of all blocks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::Path;
use std::process::Command;

use docferry_system_tests::{Cloud, program_folder, stack};

/// The documents with commands, in the order in which their commands run. The commands of the first
/// document create the court document that the commands of the following ones use.
const DOCUMENTS: [&str; 6] = [
    "docs/OPERATIONS.md",
    "docs/API.md",
    "docs/CLI.md",
    "docs/QUICKSTART-API.md",
    "CONTRIBUTING.md",
    "README.md",
];

/// Number of the document that the commands download.
const DOCUMENTED_FILE_ID: u64 = 10_001;
/// GUID of the document that the commands create.
const DOCUMENTED_GUID: &str = "AAECAwQFBgcICQoLDA0ODw==";

/// Shell function that makes curl retry. Another test makes ORDS fail for a short time, and then a
/// documented call of `/ping` fails too.
const RETRYING_CURL: &str = r#"curl() { command curl --retry 20 --retry-delay 1 "$@"; }"#;

#[test]
fn documented_commands_for_any_machine_succeed() {
    assert!(run_all("sh run", &[]) >= 2);
}

#[test]
fn documented_commands_for_a_running_system_succeed() {
    let stack = stack();
    index_documented_file_id(&stack);
    let block_count = run_all(
        "sh stack",
        &[
            ("DOCFERRY_API", &stack.api),
            ("DOCFERRY_USERNAME", &stack.scv.username),
            ("DOCFERRY_PASSWORD", &stack.scv.password),
            ("ORDS_ADMIN", &stack.ords.admin),
            ("GRAPH_ADMIN", &stack.graph.admin),
        ],
    );
    assert!(block_count >= 5, "{block_count}");
}

/// Maps the document number in the commands to the GUID of the document that the commands create.
fn index_documented_file_id(stack: &docferry_system_tests::Stack) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Cloud::new(stack).index_document(DOCUMENTED_FILE_ID, DOCUMENTED_GUID));
}

/// Runs all blocks with this info string and returns the number of blocks.
fn run_all(info_string: &str, environment: &[(&str, &str)]) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut count = 0;
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        for CommandBlock { line, commands } in blocks(&text, info_string) {
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &format!("{RETRYING_CURL}\n{commands}")])
                .current_dir(root)
                .env("PATH", path_with_our_programs())
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

/// Returns the `PATH` with the folder of the project's programs in front.
fn path_with_our_programs() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([program_folder()].into_iter().chain(std::env::split_paths(&path)))
        .unwrap()
}

/// A code block of a document.
struct CommandBlock {
    /// Line number of the opening fence.
    line: usize,
    commands: String,
}

/// Returns the fenced code blocks with this info string.
fn blocks(text: &str, info_string: &str) -> Vec<CommandBlock> {
    let fence = format!("```{info_string}");
    let lines: Vec<_> = text.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| **line == fence);
    starts
        .map(|(index, _)| {
            let body = lines[index + 1..].iter().take_while(|line| !line.starts_with("```"));
            let commands = body.map(|line| format!("{line}\n")).collect();
            CommandBlock { line: index + 1, commands }
        })
        .collect()
}
