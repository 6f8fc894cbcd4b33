//! Every fault that is known of the upload, by position, and what comes of it:
//!
//! ```text
//! cargo nextest run --package docferry-graph --test faults --no-capture
//! ```

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bench;
mod decisions;
mod row;
mod rows;

use bench::{Bench, Came};
use futures::StreamExt as _;
use row::Row;
use rows::rows;

async fn run(row: Row) -> (Row, Came) {
    // A task of its own: they share the processors, and the pauses of one are the others'
    // time.
    let run = async move {
        let bench = Bench::start(&row).await;
        let came = bench.run(&row).await;
        (row, came)
    };
    tokio::spawn(run).await.unwrap()
}

/// What should have come of it, as far as the row says.
fn expected(row: &Row, came: &Came) -> Came {
    Came {
        outcome: row.outcome,
        extra: row.extra,
        sessions: row.sessions,
        // A session that nobody could learn of lapses by itself.
        open: came.open.min(unlearned(row)),
        files: row.files,
        objects: 0,
        rewritten: row.rewritten,
    }
}

fn unlearned(row: &Row) -> usize {
    usize::from(row.fault.starts_with("createSession: answer lost"))
}

fn line(row: &Row, came: &Came) -> String {
    let outcome = match came.outcome {
        Ok(()) if came.rewritten => "completed, rewritten",
        Ok(()) => "completed",
        Err(code) => code.as_str(),
    };
    let left = match (came.open, came.objects) {
        (0, 0) => "nothing".to_owned(),
        (open, 0) if open <= unlearned(row) => "a session that lapses".to_owned(),
        (open, objects) => format!("{open} sessions, {objects} objects"),
    };
    let Row { number, fault, .. } = row;
    let (extra, sessions) = (came.extra, came.sessions);
    format!("{number:<4} {fault:<58} {outcome:<24} {extra:>9} {sessions:>3}  {left}")
}

/// Fault → outcome → bytes received minus size → what is left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_known_fault_ends_as_it_should_and_leaves_nothing_behind() {
    let came: Vec<_> = futures::stream::iter(rows()).map(run).buffered(32).collect().await;
    println!("\n{:<4} {:<58} {:<24} {:>9} {:>3}  left", "", "fault", "outcome", "−size", "ses");
    let mut wrong = 0;
    for (row, came) in &came {
        let expected = expected(row, came);
        println!("{}", line(row, came));
        if *came != expected {
            wrong += 1;
            println!("     expected {expected:?}\n     came     {came:?}");
        }
    }
    println!("{} faults, {wrong} not as they should", came.len());
    assert_eq!(wrong, 0);
}
