//! `cargo xtask test`: everything that must be green.

mod clients;
mod lint;
mod long;
mod mutants;
mod suites;
mod system;
mod template;

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::ValueEnum;

use crate::check;
use crate::extras;
use crate::paths::Paths;
use crate::tools::{Tools, ToolsSoon};

/// A part of the whole, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Format, clippy, dependency rules, licences.
    Lint,
    /// Unit, property and conformance tests: no emulator.
    Unit,
    /// Wrong versions of the code: each must be noticed by the tests that it names.
    Mutants,
    /// `sam validate --lint` and cfn-lint, for the state machine too.
    Template,
    /// The whole system on the local cloud, with IAM enforced.
    System,
    /// A table of every known fault of the upload and what comes of it; only when
    /// asked for, because `unit` runs the same test.
    Faults,
    /// Many cases of the models, of the API and of chaos, with their figures: an hour or
    /// more, and only when asked for.
    Long,
}

/// How many tests ran in a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

/// What came of a step.
struct Outcome {
    step: Step,
    took: Duration,
    counts: Counts,
    error: Option<anyhow::Error>,
}

/// Runs the steps, goes on after a failure, and sums up.
pub(crate) fn run(paths: &Paths, steps: &[Step], filter: Option<&str>) -> Result<()> {
    let all = [Step::Lint, Step::Unit, Step::Mutants, Step::Template, Step::System];
    let steps = if steps.is_empty() { &all } else { steps };
    let mut tools = None;
    if steps.iter().any(|step| matches!(step, Step::Template | Step::System | Step::Long)) {
        tools = Some(ToolsSoon::begin(paths)?);
    } else if steps.contains(&Step::Unit) {
        // Of these only the tests with rclone want a tool, and can do without.
        tools = ToolsSoon::begin(paths).ok();
    }
    let mut ready = || tools.as_mut().context("no step needs the tools")?.get().cloned();
    let outcomes: Vec<_> = steps
        .iter()
        .map(|&step| {
            println!("\n==> {}", name(step));
            let start = Instant::now();
            let result = match step {
                Step::Lint => lint::run(paths)
                    .and_then(|()| check::run(paths, &[]))
                    .map(|()| Counts::default()),
                Step::Unit => unit(paths, ready(), filter),
                Step::Mutants => mutants::run(paths, filter),
                Step::Template => ready()
                    .and_then(|tools| template::run(paths, &tools))
                    .map(|()| Counts::default()),
                Step::System => ready().and_then(|tools| system::run(paths, &tools, filter)),
                Step::Long => long::run(paths, &mut ready, filter),
                Step::Faults => suites::faults(paths).map(|()| Counts::default()),
            };
            let (counts, error) = match result {
                Ok(counts) if counts.failed == 0 => (counts, None),
                Ok(counts) => (counts, Some(anyhow!("{} tests failed", counts.failed))),
                Err(error) => (Counts::default(), Some(error)),
            };
            if let Some(error) = &error {
                eprintln!("{}: {error:#}", name(step));
            }
            Outcome { step, took: start.elapsed(), counts, error }
        })
        .collect();
    sum_up(&outcomes)
}

/// With rclone where it can be had; its tests alone are left out otherwise.
fn unit(paths: &Paths, tools: Result<Tools>, filter: Option<&str>) -> Result<Counts> {
    let tests = "the tests of the simulated Graph with rclone";
    let program = extras::RCLONE.or_left_out(paths, tools, tests);
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
        println!("{verdict} {:<9} {:>5} s  {tests}", name(*step), took.as_secs());
        // Again: a log may be read from its end, and cut.
        if let Some(error) = error {
            println!("       {error:#}");
        }
        all.passed += counts.passed;
        all.failed += counts.failed;
        all.skipped += counts.skipped;
    }
    let failed: Vec<_> =
        outcomes.iter().filter(|o| o.error.is_some()).map(|o| name(o.step)).collect();
    println!("tests: {} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped);
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn name(step: Step) -> String {
    step.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
