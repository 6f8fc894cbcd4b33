//! Tests the outcome of every known fault of an upload to Microsoft Graph. The upload engine and
//! the client are the real ones; a simulator of Graph injects one fault for each row of a table,
//! for example into the second fragment. This command also prints the table:
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
mod run;

use bench::Bench;
use futures::StreamExt as _;
use result::FaultResult;
use row::Row;
use rows::rows;

/// Number of rows that run at the same time.
pub(crate) const CONCURRENT_RUNS: usize = 32;

/// Runs the transfer of a row.
async fn run(row: Row) -> (Row, FaultResult) {
    // Each row is a task of its own, so that rows can run on several processors at the same time.
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
        // If the response to the creation of a session is lost, the client does not know the
        // session and cannot delete it. Such a session expires by itself.
        open_sessions: result.open_sessions.min(undiscoverable_sessions(row)),
        files: row.files,
        exchange_objects: 0,
        rewritten: row.rewritten,
    }
}

/// Returns the number of sessions that the client does not know, because the response to their
/// creation was lost.
fn undiscoverable_sessions(row: &Row) -> usize {
    usize::from(row.fault.starts_with("createSession: response lost"))
}

/// Formats one line of the printed table.
fn table_line(row: &Row, result: &FaultResult) -> String {
    let outcome = match result.outcome {
        Ok(()) if result.rewritten => "completed, rewritten",
        Ok(()) => "completed",
        Err(code) => code.as_str(),
    };
    let leftovers = match (result.open_sessions, result.exchange_objects) {
        (0, 0) => "nothing".to_owned(),
        (open_sessions, 0) if open_sessions <= undiscoverable_sessions(row) => {
            "a session until it expires".to_owned()
        }
        (open_sessions, objects) => format!("{open_sessions} sessions, {objects} objects"),
    };
    let Row { number, fault, .. } = row;
    let (excess_bytes, sessions) = (result.excess_bytes, result.sessions);
    format!("{number:<4} {fault:<58} {outcome:<24} {excess_bytes:>9} {sessions:>3}  {leftovers}")
}

/// Prints a table with a line for each fault: the outcome, the bytes that the simulator received
/// minus the document's size, the number of sessions, and the leftovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_known_upload_fault_has_the_expected_result_and_no_leftovers() {
    let results: Vec<_> =
        futures::stream::iter(rows()).map(run).buffered(CONCURRENT_RUNS).collect().await;
    println!("\n{:<4} {:<58} {:<24} {:>9} {:>3}  left", "", "fault", "outcome", "−size", "ses");
    let mut mismatches = 0;
    for (row, result) in &results {
        let expected = expected(row, result);
        println!("{}", table_line(row, result));
        if *result != expected {
            mismatches += 1;
            println!("     expected {expected:?}\n     actual   {result:?}");
        }
    }
    println!("{} faults, {mismatches} with an unexpected result", results.len());
    assert_eq!(mismatches, 0);
}
