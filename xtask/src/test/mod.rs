//! `cargo xtask test`: all tests and checks that must pass.

mod clients;
mod lint;
mod long;
mod mutants;
mod step;
mod suites;
mod system;
mod template;

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::check;
use crate::extras;
use crate::paths::Paths;
use crate::tools::{PendingTools, Tools};

use step::Counts;
pub(crate) use step::Step;

/// Result of a step.
struct Outcome {
    step: Step,
    took: Duration,
    counts: Counts,
    error: Option<anyhow::Error>,
}

/// Runs the steps, continues after a failure, and prints a summary.
pub(crate) fn run(paths: &Paths, steps: &[Step], filter: Option<&str>) -> Result<()> {
    let all = [Step::Lint, Step::Unit, Step::Mutants, Step::Template, Step::System];
    let steps = if steps.is_empty() { &all } else { steps };
    let mut tools = None;
    if steps.iter().any(|step| matches!(step, Step::Template | Step::System | Step::Long)) {
        tools = Some(PendingTools::begin(paths)?);
    } else if steps.contains(&Step::Unit) {
        // In `unit`, only the rclone tests need a tool, and they can be skipped.
        tools = PendingTools::begin(paths).ok();
    }
    let mut installed_tools =
        || tools.as_mut().context("the tools were not requested")?.get().cloned();
    let outcomes: Vec<_> = steps
        .iter()
        .map(|&step| {
            println!("\n==> {}", step.name());
            let start = Instant::now();
            let result = match step {
                Step::Lint => lint::run(paths)
                    .and_then(|()| check::run(paths, &[]))
                    .map(|()| Counts::default()),
                Step::Unit => unit(paths, installed_tools(), filter),
                Step::Mutants => mutants::run(paths, filter),
                Step::Template => installed_tools()
                    .and_then(|tools| template::run(paths, &tools))
                    .map(|()| Counts::default()),
                Step::System => {
                    installed_tools().and_then(|tools| system::run(paths, &tools, filter))
                }
                Step::Long => long::run(paths, &mut installed_tools, filter),
                Step::Faults => suites::faults(paths).map(|()| Counts::default()),
            };
            let (counts, error) = match result {
                Ok(counts) if counts.failed == 0 => (counts, None),
                Ok(counts) => (counts, Some(anyhow!("{} tests failed", counts.failed))),
                Err(error) => (Counts::default(), Some(error)),
            };
            if let Some(error) = &error {
                eprintln!("{}: {error:#}", step.name());
            }
            Outcome { step, took: start.elapsed(), counts, error }
        })
        .collect();
    sum_up(&outcomes)
}

/// Runs the unit tests. Only the rclone tests are skipped if rclone cannot be installed.
fn unit(paths: &Paths, tools: Result<Tools>, filter: Option<&str>) -> Result<Counts> {
    let tests = "the tests of the simulated Graph with rclone";
    let program = extras::RCLONE.or_skip(paths, tools, tests);
    let rclone: Option<(&str, &OsStr)> =
        program.as_ref().map(|program| (extras::RCLONE.variable, program.as_os_str()));
    suites::run(paths, suites::UNIT, filter, rclone.as_slice())
}

fn sum_up(outcomes: &[Outcome]) -> Result<()> {
    println!("\n==> summary");
    let mut all = Counts::default();
    for Outcome { step, took, counts, error } in outcomes {
        let verdict = if error.is_none() { "ok    " } else { "FAILED" };
        let tests = counts.passed + counts.failed;
        let tests = if tests > 0 { format!("{tests} tests") } else { String::new() };
        println!("{verdict} {:<9} {:>5} s  {tests}", step.name(), took.as_secs());
        // Repeated here, because a log may be truncated and is often read from its end.
        if let Some(error) = error {
            println!("       {error:#}");
        }
        all.passed += counts.passed;
        all.failed += counts.failed;
        all.skipped += counts.skipped;
    }
    let failed: Vec<_> =
        outcomes.iter().filter(|o| o.error.is_some()).map(|o| o.step.name()).collect();
    println!("tests: {} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped);
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}
