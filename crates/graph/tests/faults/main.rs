//! Tests the outcome of every known fault of an upload, injected by position:
//!
//! ```text
//! cargo nextest run --package docferry-graph --test faults --no-capture
//! ```

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bench;
mod decisions;
mod observation;
mod result;
mod row;
mod rows;

use bench::Bench;
use futures::StreamExt as _;
use result::FaultResult;
use row::Row;
use rows::rows;

/// Number of rows that run at the same time.
pub(crate) const CONCURRENT_RUNS: usize = 32;

/// Runs the transfer of a row.
async fn run(row: Row) -> (Row, FaultResult) {
    // Each row is a separate task, so that rows share the processors and run during the pauses
    // of others.
    let task = async move {
        let bench = Bench::start(&row).await;
        let result = bench.run(&row).await;
        (row, result)
    };
    tokio::spawn(task).await.unwrap()
}

/// Returns the expected result of a row.
fn expected(row: &Row, result: &FaultResult) -> FaultResult {
    FaultResult {
        outcome: row.outcome,
        excess_bytes: row.excess_bytes,
        sessions: row.sessions,
        // A session whose creation response was lost cannot be deleted; it expires by itself.
        open_sessions: result.open_sessions.min(undiscoverable_sessions(row)),
        files: row.files,
        exchange_objects: 0,
        rewritten: row.rewritten,
    }
}

/// Returns the number of sessions that the client cannot know of.
fn undiscoverable_sessions(row: &Row) -> usize {
    usize::from(row.fault.starts_with("createSession: response lost"))
}

/// Formats a line of the printed table.
fn line(row: &Row, result: &FaultResult) -> String {
    let outcome = match result.outcome {
        Ok(()) if result.rewritten => "completed, rewritten",
        Ok(()) => "completed",
        Err(code) => code.as_str(),
    };
    let leftovers = match (result.open_sessions, result.exchange_objects) {
        (0, 0) => "nothing".to_owned(),
        (open, 0) if open <= undiscoverable_sessions(row) => {
            "a session until it expires".to_owned()
        }
        (open, objects) => format!("{open} sessions, {objects} objects"),
    };
    let Row { number, fault, .. } = row;
    let (excess_bytes, sessions) = (result.excess_bytes, result.sessions);
    format!("{number:<4} {fault:<58} {outcome:<24} {excess_bytes:>9} {sessions:>3}  {leftovers}")
}

/// Prints a table: fault, outcome, bytes received minus size, sessions, leftovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_known_upload_fault_has_the_expected_result_and_no_leftovers() {
    let results: Vec<_> =
        futures::stream::iter(rows()).map(run).buffered(CONCURRENT_RUNS).collect().await;
    println!("\n{:<4} {:<58} {:<24} {:>9} {:>3}  left", "", "fault", "outcome", "−size", "ses");
    let mut mismatches = 0;
    for (row, result) in &results {
        let expected = expected(row, result);
        println!("{}", line(row, result));
        if *result != expected {
            mismatches += 1;
            println!("     expected {expected:?}\n     actual   {result:?}");
        }
    }
    println!("{} faults, {mismatches} with an unexpected result", results.len());
    assert_eq!(mismatches, 0);
}
