//! Chaos test: many faults occur at once, and processes are killed. It is a separate binary
//! and runs alone, because it kills processes that serve all tests.
//!
//! `DOCFERRY_CHAOS_ROUNDS` is the number of rounds (default 1) and `DOCFERRY_CHAOS_SEED` the
//! seed of the first round. The seed determines the faults and their times. The progress of
//! each transfer at these times depends on the machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test helpers fail by panicking, and results are printed"
)]

mod check;
mod names;
mod plan;
mod round;

use std::env;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use check::RoundResult;
use plan::Plan;
use round::Round;

/// Default seed of the first round. It is fixed, so that a failure is caused by a change and
/// not by chance.
const DEFAULT_SEED: u64 = 200;

/// Maximum time for cleaning up after the last transfer has ended.
const CLEAN_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a number from the environment.
fn setting(name: &str) -> Option<u64> {
    let text = env::var_os(name)?.into_string().unwrap();
    Some(text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[tokio::test]
async fn chaos_leaves_no_wrong_outcome_and_no_leftovers() {
    let rounds = setting("DOCFERRY_CHAOS_ROUNDS").unwrap_or(1);
    let first = setting("DOCFERRY_CHAOS_SEED").unwrap_or(DEFAULT_SEED);
    let mut violations = Vec::new();
    for number in 0..rounds {
        if number > 0 {
            clear_table().await;
        }
        violations.extend(Box::pin(run_round(first + number)).await);
    }
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

/// Deletes the items of earlier rounds. Otherwise each later round would sweep their
/// transfers and read their items in every scan.
async fn clear_table() {
    docferry_system_tests::Sandbox::new().await.cloud.clear_table().await;
}

/// Plays one round and returns descriptions of all violations.
async fn run_round(seed: u64) -> Vec<String> {
    println!("chaos: seed {seed}");
    let begin = Instant::now();
    let round = Arc::new(Round::prepare(Plan::new(seed)).await);
    let unfinished = Box::pin(round.run()).await;
    let leftovers = clean_up(&round).await;
    let RoundResult { mut violations, transfers, endings, recovery_ms } = round.check().await;
    violations.extend(unfinished.into_iter().map(|id| format!("{id}: did not end")));
    violations.extend(leftovers.into_iter().map(|leftover| format!("left behind: {leftover}")));

    let tag = &round.sandbox.tag;
    let faults =
        round.sandbox.ords.0.total_fired(tag).await + round.sandbox.graph.0.total_fired(tag).await;
    println!(
        "chaos: seed {seed}: {transfers} transfers {endings:?}, {} kills, {} aborts, {faults} faults, \
         {} duplicates, {} hit, longest recovery {} ms, {} s, {} violations",
        round.kills.load(Ordering::Relaxed),
        round.stopped_executions.lock().unwrap().len(),
        round.duplicates.load(Ordering::Relaxed),
        recovery_ms.len(),
        recovery_ms.iter().max().unwrap_or(&0),
        begin.elapsed().as_secs(),
        violations.len()
    );
    let with_seed: Vec<_> =
        violations.into_iter().map(|violation| format!("seed {seed}: {violation}")).collect();
    with_seed.iter().for_each(|violation| println!("chaos: {violation}"));
    with_seed
}

/// Sweeps until nothing is left behind or [`CLEAN_UP_TIMEOUT`] has passed. Returns what is left.
async fn clean_up(round: &Round) -> Vec<String> {
    let begin = Instant::now();
    loop {
        round.sweep().await;
        let leftovers = round.leftovers().await;
        if leftovers.is_empty() || begin.elapsed() > CLEAN_UP_TIMEOUT {
            return leftovers;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
