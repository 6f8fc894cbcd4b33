//! Everything goes wrong at once. In a binary of its own and run alone: it kills
//! processes that serve everybody.
//!
//! `DOCFERRY_CHAOS_ROUNDS` says how many rounds (1), `DOCFERRY_CHAOS_SEED` with which
//! seed the first begins. A seed decides what goes wrong and when; how
//! far each transfer has come by then is up to the machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, too, say what went wrong by panicking, and figures are printed"
)]

mod check;
mod plan;
mod round;

use std::env;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use check::Seen;
use plan::Plan;
use round::Round;

/// The seed of the first round when none is given: the same in each run, so that a
/// run that fails tells of a change and not of its luck.
const SEED: u64 = 200;

/// How long cleaning up may take after the last end.
const CLEAN_UP: Duration = Duration::from_secs(60);

fn setting(name: &str) -> Option<u64> {
    let text = env::var_os(name)?.into_string().unwrap();
    Some(text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[tokio::test]
async fn every_transfer_ends_truthfully_and_nothing_is_left_whatever_is_killed() {
    let rounds = setting("DOCFERRY_CHAOS_ROUNDS").unwrap_or(1);
    let first = setting("DOCFERRY_CHAOS_SEED").unwrap_or(SEED);
    let mut violations = Vec::new();
    for number in 0..rounds {
        if number > 0 {
            forget().await;
        }
        violations.extend(Box::pin(play(first + number)).await);
    }
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

/// Clears the table of the rounds before: what is still watched of them would be swept
/// with each later round, and every look at the table would read it.
async fn forget() {
    docferry_system_tests::Sandbox::new().await.cloud.clear_table().await;
}

async fn play(seed: u64) -> Vec<String> {
    println!("chaos: seed {seed}");
    let begin = Instant::now();
    let round = Arc::new(Round::prepare(Plan::new(seed)).await);
    let unfinished = Box::pin(round.play()).await;
    let left = clean_up(&round).await;
    let Seen { mut violations, transfers, endings, recovery_ms } = round.judge().await;
    violations.extend(unfinished.into_iter().map(|id| format!("{id}: did not end")));
    violations.extend(left.into_iter().map(|left| format!("left behind: {left}")));

    let tag = &round.sandbox.tag;
    let faults = round.sandbox.ords.0.fired_within(tag).await
        + round.sandbox.graph.0.fired_within(tag).await;
    println!(
        "chaos: seed {seed}: {transfers} transfers {endings:?}, {} kills, {} aborts, {faults} faults, \
         {} duplicates, {} hit, longest recovery {} ms, {} s, {} violations",
        round.kills.load(Ordering::Relaxed),
        round.aborted.lock().unwrap().len(),
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

/// Sweeps until nothing is left; returns what is, after a while.
async fn clean_up(round: &Round) -> Vec<String> {
    let begin = Instant::now();
    loop {
        round.sweep().await;
        let left = round.left_behind().await;
        if left.is_empty() || begin.elapsed() > CLEAN_UP {
            return left;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
