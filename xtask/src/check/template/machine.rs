//! Parser of the Step Functions state machines in `statemachine/*.asl.json`.
//!
//! The files are written in the Amazon States Language. The fields of the types here have the names
//! and meanings of this language. A *task* is a state that calls a function or starts a state
//! machine.
//!
//! The files contain placeholders `${name}`, for which `template.yaml` substitutes values at
//! deployment. A placeholder outside a JSON string stands for a number.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

/// A file with the definition of a state machine.
#[derive(Debug)]
pub(crate) struct Definition {
    /// Path relative to the project's folder, as in a `DefinitionUri`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(super) machine: Machine,
}

/// A state machine, or the inner state machine of a map or parallel state.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Machine {
    pub(super) start_at: String,
    pub(super) states: BTreeMap<String, State>,
    pub(super) timeout_seconds: Option<u64>,
}

/// A state. Only the fields that the checks need are parsed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    pub(super) r#type: String,
    pub(super) comment: Option<String>,
    pub(super) next: Option<String>,
    pub(super) default: Option<String>,
    #[serde(default)]
    pub(super) end: bool,
    pub(super) timeout_seconds: Option<u64>,
    #[serde(default)]
    pub(super) choices: Vec<Choice>,
    #[serde(default)]
    pub(super) retry: Vec<RetryOrCatch>,
    #[serde(default)]
    pub(super) catch: Vec<RetryOrCatch>,
    /// Resource that a task calls.
    #[serde(default)]
    pub(super) resource: String,
    #[serde(default)]
    pub(super) arguments: Value,
    /// State machine that a map runs for each item.
    item_processor: Option<Machine>,
    /// State machines that a parallel state runs concurrently.
    #[serde(default)]
    branches: Vec<Machine>,
}

/// Branch of a choice state.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Choice {
    pub(super) next: String,
}

/// A retrier or a catcher of a state. A retrier repeats the state after one of its errors, and a
/// catcher continues with the state `next`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RetryOrCatch {
    pub(super) error_equals: Vec<String>,
    pub(super) next: Option<String>,
    pub(super) interval_seconds: Option<u64>,
    pub(super) backoff_rate: Option<f64>,
    /// A number, or a placeholder for a number.
    #[serde(default)]
    pub(super) max_attempts: Value,
}

impl RetryOrCatch {
    /// Returns whether this retrier or catcher names the error.
    pub(super) fn names(&self, error: &str) -> bool {
        self.error_equals.iter().any(|name| name == error)
    }

    /// Returns the name of the placeholder for the number of retries, or `None` if the number is
    /// fixed.
    pub(super) fn placeholder(&self) -> Option<&str> {
        self.max_attempts.as_str().and_then(placeholder)
    }
}

/// Action of a task state.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TaskAction<'a> {
    /// Invokes the function with this placeholder.
    InvokeFunction(Option<&'a str>),
    /// Starts the state machine with this placeholder and waits for its end.
    StartMachine(Option<&'a str>),
    /// Calls a resource that these checks do not support.
    Unknown(&'a str),
}

impl Definition {
    /// Returns all definitions of the project, sorted by path.
    pub(crate) fn all(root: &Path) -> Result<Vec<Self>> {
        let mut definitions = Vec::new();
        for entry in fs::read_dir(root.join("statemachine")).context("statemachine/")? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".asl.json") {
                let path = format!("statemachine/{name}");
                let text = fs::read_to_string(root.join(&path)).with_context(|| path.clone())?;
                definitions.push(Self::parse(path, text)?);
            }
        }
        definitions.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(definitions)
    }

    /// Parses a definition. Placeholders outside strings are quoted first, because they are not
    /// valid JSON.
    pub(super) fn parse(path: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let (path, text) = (path.into(), text.into());
        let quoted = replace_placeholders(&text, |placeholder| format!("\"{placeholder}\""));
        let machine = serde_json::from_str(&quoted).with_context(|| path.clone())?;
        Ok(Self { path, text, machine })
    }

    /// Returns the text with a number in place of each placeholder outside a string.
    pub(crate) fn substitute_numbers(&self, number: impl Fn(&str) -> u64) -> String {
        replace_placeholders(&self.text, |name| {
            number(placeholder(name).unwrap_or_default()).to_string()
        })
    }

    /// Returns the names of the placeholders `${name}`.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = &str> {
        let after_openings = self.text.split("${").skip(1);
        after_openings.filter_map(|text| text.split_once('}').map(|(name, _)| name))
    }
}

impl Machine {
    /// Returns the levels of a machine: this machine and all machines inside its states.
    pub(super) fn levels(&self) -> Vec<&Self> {
        let mut levels = vec![self];
        for state in self.states.values() {
            for inner in state.item_processor.iter().chain(&state.branches) {
                levels.extend(inner.levels());
            }
        }
        levels
    }

    /// Returns every task, including those of inner machines.
    pub(super) fn tasks(&self) -> impl Iterator<Item = (&str, &State)> {
        let states = self.levels().into_iter().flat_map(|level| &level.states);
        states
            .filter(|(_, state)| state.r#type == "Task")
            .map(|(name, state)| (name.as_str(), state))
    }
}

impl State {
    /// Returns the action of a task.
    pub(super) fn action(&self) -> TaskAction<'_> {
        let placeholder_in =
            |argument: &str| self.arguments[argument].as_str().and_then(placeholder);
        match self.resource.as_str() {
            "arn:aws:states:::lambda:invoke" => {
                TaskAction::InvokeFunction(placeholder_in("FunctionName"))
            }
            "arn:aws:states:::states:startExecution.sync:2" => {
                TaskAction::StartMachine(placeholder_in("StateMachineArn"))
            }
            // A task may also name a function as its resource.
            resource => match placeholder(resource) {
                Some(function) => TaskAction::InvokeFunction(Some(function)),
                None => TaskAction::Unknown(resource),
            },
        }
    }
}

/// Replaces every `${name}` that is outside a JSON string.
fn replace_placeholders(text: &str, replacement: impl Fn(&str) -> String) -> String {
    let mut result = String::with_capacity(text.len());
    // The strings contain no escaped quotes. So the pieces between quotes alternate, and each piece
    // with an odd index is the content of a string.
    for (index, piece) in text.split('"').enumerate() {
        if index > 0 {
            result.push('"');
        }
        let is_string = index % 2 == 1;
        let mut remaining = piece;
        while !is_string
            && let Some(start) = remaining.find("${")
            && let Some(length) = remaining[start..].find('}')
        {
            let end = start + length;
            result.push_str(&remaining[..start]);
            result.push_str(&replacement(&remaining[start..=end]));
            remaining = &remaining[end + 1..];
        }
        result.push_str(remaining);
    }
    result
}

/// Returns the name in `${name}`.
fn placeholder(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}')
}
