//! Compares the result of each transfer of the demo with its expected end.
//!
//! The status of the service is not enough for this. The *observed state* is read from the
//! simulators and the exchange bucket, so that a wrong status is found, too. A *verdict* is the
//! result of the comparison for one document.

use std::collections::BTreeSet;

use docferry_cli::ClientError;
use docferry_cli::display::make_printable;
use docferry_cli::watch::Outcome;

use super::deliver::Delivery;
use super::scenario::{ExpectedEnd, Item};
use super::simulators::{DeliveredFile, Session, SourceDocument};

/// Error message of a stopped transfer, which SCV shows to the user.
const TERMINATED: &str = "Terminated by request";

/// State of the simulators after the transfers have ended.
#[derive(Debug, Default)]
pub(crate) struct ObservedState {
    pub(crate) sources: Vec<SourceDocument>,
    /// Files in the OneDrives of all users.
    pub(crate) files: Vec<DeliveredFile>,
    /// All upload sessions, including closed sessions.
    pub(crate) sessions: Vec<Session>,
    /// Keys of the demo's objects that are still in the exchange bucket.
    pub(crate) remaining: BTreeSet<String>,
}

/// Result of one document, which is a row of the results table.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(super) status: String,
    pub(super) size: Option<u64>,
    /// SHA-256 hash of the source document.
    pub(super) source_hash: Option<String>,
    /// SHA-256 hash of the delivered file.
    pub(super) delivered_hash: Option<String>,
    /// Whether the source copy was removed from the exchange bucket. `None` if there was no copy.
    pub(super) is_clean: Option<bool>,
    /// Differences from the expected result.
    pub(crate) violations: Vec<String>,
}

/// Checks the delivery of one document, with the service's status and the state of the simulators.
pub(crate) fn check_item(
    item: &Item,
    recipient: &str,
    delivery: &Delivery,
    observed: &ObservedState,
) -> Verdict {
    let source = observed.sources.iter().find(|source| source.guid == item.guid);
    let destination = item.destination();
    let is_destination = |user: &str, path: &str| {
        user.eq_ignore_ascii_case(recipient) && path.trim_start_matches('/') == destination
    };
    let file = observed.files.iter().find(|file| is_destination(&file.user, &file.path));
    let sessions: Vec<_> = observed
        .sessions
        .iter()
        .filter(|session| is_destination(&session.user, &session.path))
        .collect();
    let is_clean = item.exists().then(|| !observed.remaining.contains(item.filename));
    let mut violations = Vec::new();
    let status = check_outcome(
        &delivery.result,
        item.expected_end,
        source,
        file,
        &sessions,
        &mut violations,
    );
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
        source_hash: source.map(|source| source.sha256.clone()),
        delivered_hash: file.map(|file| file.sha256.clone()),
        is_clean,
        violations,
    }
}

/// Compares the outcome of a transfer with its expected end, and adds the differences to
/// `violations`. Returns the outcome as a text.
fn check_outcome(
    result: &Result<Outcome, ClientError>,
    expected_end: ExpectedEnd,
    source: Option<&SourceDocument>,
    file: Option<&DeliveredFile>,
    sessions: &[&Session],
    violations: &mut Vec<String>,
) -> String {
    match result {
        Ok(Outcome::Completed(_)) => {
            match expected_end {
                ExpectedEnd::Delivered => check_delivery(source, file, violations),
                ExpectedEnd::NotFound => {
                    violations.push("completed, although there is no such document".to_owned());
                }
                ExpectedEnd::Terminated => {
                    violations.push("completed before it could be stopped".to_owned());
                }
            }
            "completed".to_owned()
        }
        Ok(Outcome::Failed(status)) => {
            let message =
                status.last_error_message.as_deref().map(make_printable).unwrap_or_default();
            match expected_end {
                ExpectedEnd::Delivered => violations.push(format!("failed: {message}")),
                ExpectedEnd::NotFound if message.is_empty() => {
                    violations.push("failed as it should, but does not say why".to_owned());
                }
                ExpectedEnd::NotFound => {}
                ExpectedEnd::Terminated if message == TERMINATED => {
                    check_stop(source, file, sessions, violations);
                }
                ExpectedEnd::Terminated => {
                    violations.push(format!("was to be stopped, failed: {message}"));
                }
            }
            format!("failed: {message}")
        }
        Ok(Outcome::TimedOut(_)) => {
            violations.push("did not end in time".to_owned());
            "still running".to_owned()
        }
        Err(error) => {
            violations.push(make_printable(&error.to_string()));
            "not sent or not watched".to_owned()
        }
    }
}

/// Checks a transfer that was stopped midway. Some but not all of its bytes must have arrived, and
/// no file may exist at its destination.
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

/// Checks that the delivered file equals the source document.
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
