//! Chaos test of the deployed system: many transfers run while many faults occur and processes
//! are killed. The test is a separate binary and runs alone, because it kills processes that
//! serve all tests.
//!
//! The test runs rounds. A round makes a [`Plan`] from a seed, executes it and checks the
//! outcome of every transfer.
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
mod leftovers;
mod names;
mod plan;
mod round;
mod sweep;

use std::env;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use check::RoundResult;
use plan::Plan;
use round::Round;

/// Default seed of the first round. The seed is fixed, so that a failure comes from a change of
/// the code and not from a different plan.
const DEFAULT_SEED: u64 = 200;

/// Maximum time for cleaning up after the last transfer has ended.
const CLEAN_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a number from an environment variable, if it is set.
fn setting(name: &str) -> Option<u64> {
    let text = env::var_os(name)?.into_string().unwrap();
    Some(text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[tokio::test]
async fn chaos_leaves_no_wrong_outcome_and_no_leftovers() {
    let rounds = setting("DOCFERRY_CHAOS_ROUNDS").unwrap_or(1);
    let first_seed = setting("DOCFERRY_CHAOS_SEED").unwrap_or(DEFAULT_SEED);
    let mut violations = Vec::new();
    for round_number in 0..rounds {
        if round_number > 0 {
            clear_table().await;
        }
        violations.extend(Box::pin(run_round(first_seed + round_number)).await);
    }
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

/// Deletes the items of earlier rounds, so that later rounds do not sweep the transfers of
/// earlier rounds and do not read their items in every scan.
async fn clear_table() {
    docferry_system_tests::Sandbox::new().await.cloud.clear_table().await;
}

/// Executes and checks one round. Returns descriptions of all violations.
async fn run_round(seed: u64) -> Vec<String> {
    println!("chaos: seed {seed}");
    let start = Instant::now();
    let round = Arc::new(Round::prepare(Plan::new(seed)).await);
    let unfinished = Box::pin(round.run()).await;
    let leftovers = clean_up(&round).await;
    let RoundResult { mut violations, transfers, outcome_counts, recovery_ms } =
        round.check().await;
    violations.extend(unfinished.into_iter().map(|id| format!("{id}: did not end")));
    violations.extend(leftovers.into_iter().map(|leftover| format!("left behind: {leftover}")));

    let tag = &round.sandbox.tag;
    let faults = round.sandbox.ords.simulator.total_fired(tag).await
        + round.sandbox.graph.simulator.total_fired(tag).await;
    println!(
        "chaos: seed {seed}: {transfers} transfers {outcome_counts:?}, {} kills, {} aborts, {faults} faults, \
         {} duplicates, {} hit, longest recovery {} ms, {} s, {} violations",
        round.kills.load(Ordering::Relaxed),
        round.stopped_executions.lock().unwrap().len(),
        round.duplicates.load(Ordering::Relaxed),
        recovery_ms.len(),
        recovery_ms.iter().max().unwrap_or(&0),
        start.elapsed().as_secs(),
        violations.len()
    );
    let seeded_violations: Vec<_> =
        violations.into_iter().map(|violation| format!("seed {seed}: {violation}")).collect();
    seeded_violations.iter().for_each(|violation| println!("chaos: {violation}"));
    seeded_violations
}

/// Sweeps until the round has no leftovers or [`CLEAN_UP_TIMEOUT`] has passed. Returns the
/// leftovers.
async fn clean_up(round: &Round) -> Vec<String> {
    let start = Instant::now();
    loop {
        round.sweep().await;
        let leftovers = round.leftovers().await;
        if leftovers.is_empty() || start.elapsed() > CLEAN_UP_TIMEOUT {
            return leftovers;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
