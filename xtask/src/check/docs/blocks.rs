//! The commands in the documents.
//!
//! Each block of them says who runs it:
//!
//! | info string | |
//! |---|---|
//! | `sh run` | a test, on any machine that has the project |
//! | `sh stack` | a test, against the system that the system tests have up |
//! | `sh hand` | a person: it takes minutes, or stays in the foreground |
//! | `sh cloud` | a person: it wants an account on AWS or Microsoft |
//!
//! `tests/tests/docs.rs` runs the first two. What is looked at here holds for all:
//! the shell can read them, and what they call of ours exists.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;

use super::Document;

const COMMANDS: [&str; 4] = ["sh run", "sh stack", "sh hand", "sh cloud"];
const OTHERS: [&str; 4] = ["text", "json", "mermaid", "ts"];

pub(super) fn complaints(document: &Document) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (line, info, body) in blocks(&document.text) {
        let at = format!("{}:{line}", document.path);
        if COMMANDS.contains(&info) {
            if let Some(complaint) = unreadable(&body)? {
                found.push(format!("{at}: the shell cannot read it: {complaint}"));
            }
            for task in unknown_tasks(&body) {
                found.push(format!("{at}: there is no `cargo xtask {task}`"));
            }
        } else if !OTHERS.contains(&info) {
            found.push(format!(
                "{at}: a block of “{info}”; one of {} is needed",
                [COMMANDS.join(", "), OTHERS.join(", ")].join(", ")
            ));
        }
    }
    Ok(found)
}

/// The fenced blocks: line, info string, text.
fn blocks(text: &str) -> Vec<(usize, &str, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, &str, String)> = None;
    for (at, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((at + 1, info.trim(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, _, body))) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    // One that is never closed has no valid end; its info string is told as wrong.
    blocks.extend(open.map(|(line, _, body)| (line, "a block without an end", body)));
    blocks
}

/// What the shell says, when it cannot make sense of the commands.
fn unreadable(commands: &str) -> Result<Option<String>> {
    let mut shell = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("bash is needed to read the commands in the documents")?;
    if let Some(mut stdin) = shell.stdin.take() {
        stdin.write_all(commands.as_bytes())?;
    }
    let output = shell.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((!output.status.success() || !said.is_empty()).then_some(said))
}

/// Tasks of ours that the commands name and that do not exist.
fn unknown_tasks(commands: &str) -> Vec<&str> {
    let program = crate::Arguments::command();
    let tasks: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
    commands
        .split("cargo xtask ")
        .skip(1)
        .filter_map(|rest| rest.split_whitespace().next())
        .filter(|word| !word.starts_with('-') && !tasks.contains(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        complaints(&Document { path: "x.md".into(), text: text.into() }).unwrap()
    }

    #[test]
    fn commands_that_no_shell_reads_and_tasks_that_do_not_exist_are_told() {
        assert_eq!(told("```sh run\ncargo xtask demo --keep\n```\n"), Vec::<String>::new());
        assert!(told("a\n```sh run\nif true; then\n```\n")[0].starts_with("x.md:2: the shell"));
        let wrong = told("```sh hand\ncargo xtask dmeo\n```\n");
        assert_eq!(wrong, ["x.md:1: there is no `cargo xtask dmeo`"]);
    }

    #[test]
    fn a_block_that_does_not_say_who_runs_it_or_has_no_end_is_told() {
        for text in ["```sh\nls\n```\n", "```\nls\n```\n", "```sh run\nls\n"] {
            assert_eq!(told(text).len(), 1, "{text}");
        }
    }
}
