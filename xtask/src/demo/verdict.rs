//! Checks of the demo's results.

use std::collections::BTreeSet;

use docferry_cli::display::clean;
use docferry_cli::watch::Outcome;

use super::deliver::Delivery;
use super::scenario::{End, Item};
use super::simulators::{DeliveredFile, Session, SourceDocument};

/// Error message of a stopped transfer, as SCV shows it.
const TERMINATED: &str = "Terminated by request";

/// State that was observed after the deliveries had ended.
#[derive(Debug, Default)]
pub(crate) struct ObservedState {
    pub(crate) sources: Vec<SourceDocument>,
    /// Files of all users.
    pub(crate) files: Vec<DeliveredFile>,
    /// All upload sessions, including closed ones.
    pub(crate) sessions: Vec<Session>,
    /// Keys that are still in the exchange bucket.
    pub(crate) remaining: BTreeSet<String>,
}

/// Result of one document: a row of the table.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(super) status: String,
    pub(super) size: Option<u64>,
    pub(super) source: Option<String>,
    pub(super) delivered: Option<String>,
    /// `None` if there was nothing to clean up.
    pub(super) is_clean: Option<bool>,
    /// Problems found; empty if everything is as expected.
    pub(crate) violations: Vec<String>,
}

/// Checks one document, by the status from the service and by the state that was observed.
pub(crate) fn judge(
    item: &Item,
    recipient: &str,
    delivery: &Delivery,
    findings: &ObservedState,
) -> Verdict {
    let source = findings.sources.iter().find(|source| source.guid == item.guid);
    let destination = item.destination();
    let is_destination = |user: &str, path: &str| {
        user.eq_ignore_ascii_case(recipient) && path.trim_start_matches('/') == destination
    };
    let file = findings.files.iter().find(|file| is_destination(&file.user, &file.path));
    let sessions: Vec<_> = findings
        .sessions
        .iter()
        .filter(|session| is_destination(&session.user, &session.path))
        .collect();
    let is_clean = item.is_known().then(|| !findings.remaining.contains(item.filename));
    let mut violations = Vec::new();
    let status = match &delivery.result {
        Ok(Outcome::Completed(_)) => {
            match item.end {
                End::Delivered => check_delivery(source, file, &mut violations),
                End::NotFound => {
                    violations.push("completed, although there is no such document".to_owned());
                }
                End::Terminated => {
                    violations.push("completed before it could be stopped".to_owned());
                }
            }
            "completed".to_owned()
        }
        Ok(Outcome::Failed(status)) => {
            let message = status.last_error_message.as_deref().map(clean).unwrap_or_default();
            match item.end {
                End::Delivered => violations.push(format!("failed: {message}")),
                End::NotFound if message.is_empty() => {
                    violations.push("failed as it should, but does not say why".to_owned());
                }
                End::NotFound => {}
                End::Terminated if message == TERMINATED => {
                    check_stop(source, file, &sessions, &mut violations);
                }
                End::Terminated => violations.push(format!("was to be stopped, failed: {message}")),
            }
            format!("failed: {message}")
        }
        Ok(Outcome::TimedOut(_)) => {
            violations.push("did not end in time".to_owned());
            "still running".to_owned()
        }
        Err(error) => {
            violations.push(clean(&error.to_string()));
            "not sent or not watched".to_owned()
        }
    };
    if sessions.iter().any(|session| session.state == "open") {
        violations.push("an upload session is still open".to_owned());
    }
    if is_clean == Some(false) {
        violations.push("its source copy is still in the exchange bucket".to_owned());
    }
    Verdict {
        name: item.label.to_owned(),
        status,
        size: file.map(|file| file.size).or(source.map(|source| source.size)),
        source: source.map(|source| source.sha256.clone()),
        delivered: file.map(|file| file.sha256.clone()),
        is_clean,
        violations,
    }
}

/// Checks a transfer that was stopped midway: some bytes arrived, not all, and no file exists.
fn check_stop(
    source: Option<&SourceDocument>,
    file: Option<&DeliveredFile>,
    sessions: &[&Session],
    violations: &mut Vec<String>,
) {
    let received: u64 = sessions.iter().map(|session| session.received_bytes).sum();
    if received == 0 {
        violations.push("stopped before its bytes moved".to_owned());
    }
    if source.is_none_or(|source| received >= source.size) {
        violations.push("stopped, although all of its bytes had arrived".to_owned());
    }
    if file.is_some() {
        violations.push("stopped, but there is a file at its destination".to_owned());
    }
}

fn check_delivery(
    source: Option<&SourceDocument>,
    file: Option<&DeliveredFile>,
    violations: &mut Vec<String>,
) {
    let (Some(source), Some(file)) = (source, file) else {
        let missing = if source.is_none() { "the source" } else { "the delivered file" };
        return violations.push(format!("completed, but {missing} is not there"));
    };
    if source.size != file.size {
        violations.push(format!("{} bytes were delivered of {}", file.size, source.size));
    }
    if source.sha256 != file.sha256 {
        violations.push("the delivered bytes are not the source's".to_owned());
    }
    if file.received_bytes < file.size {
        violations.push(format!("only {} bytes ever arrived", file.received_bytes));
    }
}

#[cfg(test)]
mod tests;
