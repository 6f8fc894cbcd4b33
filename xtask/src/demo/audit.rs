//! Shows the audit trail at the end of the demo, as an operator reads it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::registry::as_operator;
use crate::binaries;
use crate::paths::Paths;
use crate::process::run_quietly;
use crate::stack::Stack;

/// Actions of which the trail must contain a record.
const ACTIONS: [&str; 6] = [
    "Delivered to OneDrive",
    "Made available for download",
    "URL issued",
    "Viewed list",
    "Access denied",
    "Withdrawn",
];
/// Maximum wait. The denials of a minute are sent by the second sweep after it, and sweeps run every
/// minute.
const TIMEOUT: Duration = Duration::from_secs(240);
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum number of records to print of each action.
const MAX_LINES: usize = 3;

/// Waits until the archive has records of all actions, and prints some of them.
///
/// # Errors
/// Returns an error when a record is missing after some minutes.
pub(super) async fn print_trail(paths: &Paths, stack: &Stack) -> Result<()> {
    println!("\nWaiting for the audit trail; denials are recorded once a minute …");
    let start = Instant::now();
    let log = paths.target.join("demo").join("audit.log");
    loop {
        let trail = find_all(paths, stack, &log)?;
        let missing: Vec<_> = ACTIONS.iter().filter(|action| !trail.contains(**action)).collect();
        if missing.is_empty() {
            for action in ACTIONS {
                let of_action = trail.lines().filter(|line| line.contains(action));
                of_action.take(MAX_LINES).for_each(|line| println!("{line}"));
            }
            println!("All records: docferry audit find --bucket {}", stack.audit_bucket);
            return Ok(());
        }
        if start.elapsed() > TIMEOUT {
            bail!("the audit trail has no record of {missing:?}; see {}", log.display());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Returns all records of the archive, one in each line.
fn find_all(paths: &Paths, stack: &Stack, log: &Path) -> Result<String> {
    let mut command = Command::new(binaries::program(paths, "docferry"));
    command.args(["audit", "find", "--bucket", &stack.audit_bucket]);
    run_quietly(as_operator(&mut command, stack), log)?;
    Ok(std::fs::read_to_string(log)?)
}
