//! State machines as they are written in `statemachine/*.asl.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

/// A definition, and where it stands.
#[derive(Debug)]
pub(crate) struct Definition {
    /// Its path below the project's folder, as a `DefinitionUri` names it.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(super) machine: Machine,
}

/// A state machine, or the one inside a state of another.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Machine {
    pub(super) start_at: String,
    pub(super) states: BTreeMap<String, State>,
    pub(super) timeout_seconds: Option<u64>,
}

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
    pub(super) choices: Vec<Target>,
    #[serde(default)]
    pub(super) retry: Vec<Matcher>,
    #[serde(default)]
    pub(super) catch: Vec<Matcher>,
    /// What a task calls.
    #[serde(default)]
    pub(super) resource: String,
    #[serde(default)]
    pub(super) arguments: Value,
    /// What a map runs for each item.
    item_processor: Option<Machine>,
    /// What a parallel state runs at once.
    #[serde(default)]
    branches: Vec<Machine>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Target {
    pub(super) next: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Matcher {
    pub(super) error_equals: Vec<String>,
    pub(super) next: Option<String>,
    pub(super) interval_seconds: Option<u64>,
    pub(super) backoff_rate: Option<f64>,
    /// A number, or the placeholder of one.
    #[serde(default)]
    pub(super) max_attempts: Value,
}

impl Matcher {
    pub(super) fn names(&self, error: &str) -> bool {
        self.error_equals.iter().any(|name| name == error)
    }

    /// What the template puts in as the number of retries, if it does.
    pub(super) fn placeholder(&self) -> Option<&str> {
        self.max_attempts.as_str().and_then(placeholder)
    }
}

/// What a task does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work<'a> {
    /// Calls the function that this names.
    Invoke(Option<&'a str>),
    /// Starts the state machine that this names, and waits for its end.
    Run(Option<&'a str>),
    /// Something that these checks know nothing of.
    Unknown(&'a str),
}

impl Definition {
    /// Every definition of the project, in the order of their names.
    pub(crate) fn all(root: &Path) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(root.join("statemachine")).context("statemachine/")? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".asl.json") {
                let path = format!("statemachine/{name}");
                let text = fs::read_to_string(root.join(&path)).with_context(|| path.clone())?;
                found.push(Self::parse(path, text)?);
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    pub(super) fn parse(path: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let (path, text) = (path.into(), text.into());
        let quoted = with_numbers(&text, |placeholder| format!("\"{placeholder}\""));
        let machine = serde_json::from_str(&quoted).with_context(|| path.clone())?;
        Ok(Self { path, text, machine })
    }

    /// The text with these numbers in place of the placeholders outside of quotes, which
    /// stand for numbers.
    pub(crate) fn with_numbers(&self, number: impl Fn(&str) -> u64) -> String {
        with_numbers(&self.text, |name| number(placeholder(name).unwrap_or_default()).to_string())
    }

    /// Names of what the template has to put in: `${name}`.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.text.split("${").skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
    }
}

impl Machine {
    /// This machine and all that run inside its states.
    pub(super) fn levels(&self) -> Vec<&Self> {
        let mut levels = vec![self];
        for state in self.states.values() {
            for inner in state.item_processor.iter().chain(&state.branches) {
                levels.extend(inner.levels());
            }
        }
        levels
    }

    /// Every task, on whichever level.
    pub(super) fn tasks(&self) -> impl Iterator<Item = (&str, &State)> {
        let states = self.levels().into_iter().flat_map(|level| &level.states);
        states
            .filter(|(_, state)| state.r#type == "Task")
            .map(|(name, state)| (name.as_str(), state))
    }
}

impl State {
    /// What a task does, with the placeholder that says on what.
    pub(super) fn work(&self) -> Work<'_> {
        let named = |argument: &str| self.arguments[argument].as_str().and_then(placeholder);
        match self.resource.as_str() {
            "arn:aws:states:::lambda:invoke" => Work::Invoke(named("FunctionName")),
            "arn:aws:states:::states:startExecution.sync:2" => Work::Run(named("StateMachineArn")),
            other => match placeholder(other) {
                Some(function) => Work::Invoke(Some(function)),
                None => Work::Unknown(other),
            },
        }
    }
}

/// The text with every `${name}` outside of quotes replaced.
fn with_numbers(text: &str, replacement: impl Fn(&str) -> String) -> String {
    let mut whole = String::with_capacity(text.len());
    // Strings of a definition hold no quote of their own.
    for (place, piece) in text.split('"').enumerate() {
        if place > 0 {
            whole.push('"');
        }
        let mut rest = piece;
        while place % 2 == 0
            && let Some(start) = rest.find("${")
            && let Some(end) = rest[start..].find('}')
        {
            whole.push_str(&rest[..start]);
            whole.push_str(&replacement(&rest[start..=start + end]));
            rest = &rest[start + end + 1..];
        }
        whole.push_str(rest);
    }
    whole
}

/// `${name}` → `name`.
fn placeholder(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}')
}
