//! Checks the code blocks in the documents.
//!
//! The *info string* is the text after the opening backticks of a block. For a block with commands,
//! the info string states who runs the commands:
//!
//! | info string | run by |
//! |---|---|
//! | `sh run` | a test, on any machine that has the project |
//! | `sh stack` | a test, against the stack of the system tests |
//! | `sh hand` | a person: it takes minutes, or stays in the foreground |
//! | `sh cloud` | a person: it needs an account on AWS or Microsoft |
//!
//! `tests/tests/docs.rs` runs the first two kinds. This module checks all of them: the shell syntax
//! must be valid, and each `cargo xtask` task must exist.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;

use super::document::Document;

/// Info strings of blocks with commands.
const COMMANDS: [&str; 4] = ["sh run", "sh stack", "sh hand", "sh cloud"];
/// Info strings of blocks without commands.
const WITHOUT_COMMANDS: [&str; 4] = ["text", "json", "mermaid", "ts"];

/// Checks the code blocks of one document.
pub(super) fn violations(document: &Document) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for Block { line, info_string, body } in blocks(&document.text) {
        let location = format!("{}:{line}", document.path);
        if COMMANDS.contains(&info_string) {
            if let Some(violation) = syntax_error(&body)? {
                violations.push(format!("{location}: the shell rejects it: {violation}"));
            }
            for task in unknown_tasks(&body) {
                violations.push(format!("{location}: there is no `cargo xtask {task}`"));
            }
        } else if !WITHOUT_COMMANDS.contains(&info_string) {
            violations.push(format!(
                "{location}: unknown block type “{info_string}”; use one of {}",
                [COMMANDS.join(", "), WITHOUT_COMMANDS.join(", ")].join(", ")
            ));
        }
    }
    Ok(violations)
}

/// A fenced code block.
struct Block<'a> {
    /// Line of the opening backticks.
    line: usize,
    info_string: &'a str,
    body: String,
}

/// Returns the fenced code blocks of a document.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                open =
                    Some(Block { line: index + 1, info_string: info.trim(), body: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.body.push_str(line);
                block.body.push('\n');
            }
            (None, None) => {}
        }
    }
    // Give a block without an end an invalid info string, so that the check reports the block.
    blocks.extend(open.map(|block| Block { info_string: "a block without an end", ..block }));
    blocks
}

/// Returns the shell's error message if the commands have a syntax error.
fn syntax_error(commands: &str) -> Result<Option<String>> {
    let mut shell = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("bash is needed to check the commands in the documents")?;
    if let Some(mut stdin) = shell.stdin.take() {
        stdin.write_all(commands.as_bytes())?;
    }
    let output = shell.wait_with_output()?;
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((!output.status.success() || !message.is_empty()).then_some(message))
}

/// Returns the `cargo xtask` tasks in the commands that do not exist.
fn unknown_tasks(commands: &str) -> Vec<&str> {
    let program = crate::arguments::Arguments::command();
    let tasks: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
    commands
        .split("cargo xtask ")
        .skip(1)
        .filter_map(|text| text.split_whitespace().next())
        .filter(|word| !word.starts_with('-') && !tasks.contains(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the violations in a document `x.md` with this text.
    fn violations_in(text: &str) -> Vec<String> {
        violations(&Document { path: "x.md".into(), text: text.into() }).unwrap()
    }

    #[test]
    fn shell_syntax_errors_and_unknown_tasks_are_reported() {
        assert_eq!(
            violations_in("```sh run\ncargo xtask demo --keep\n```\n"),
            Vec::<String>::new()
        );
        assert!(
            violations_in("a\n```sh run\nif true; then\n```\n")[0].starts_with("x.md:2: the shell")
        );
        let violations = violations_in("```sh hand\ncargo xtask dmeo\n```\n");
        assert_eq!(violations, ["x.md:1: there is no `cargo xtask dmeo`"]);
    }

    #[test]
    fn code_block_without_a_valid_type_or_end_is_reported() {
        for text in ["```sh\nls\n```\n", "```\nls\n```\n", "```sh run\nls\n"] {
            assert_eq!(violations_in(text).len(), 1, "{text}");
        }
    }
}
