//! `cargo xtask test`: runs all tests and checks of the project, in steps such as `lint` and
//! `system`.

mod clients;
mod fhir;
mod lint;
mod long;
mod mutants;
mod npm;
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

/// Environment variable that gives the test of the simulated S3 a Python with boto3.
const BOTO3_PYTHON: &str = "DOCFERRY_BOTO3_PYTHON";

/// Result of a step of the test run.
struct StepResult {
    step: Step,
    took: Duration,
    counts: Counts,
    error: Option<anyhow::Error>,
}

/// Runs the given steps, or the default steps if none is given. Prints a summary at the end. A
/// failed step does not stop the following steps.
pub(crate) fn run(paths: &Paths, steps: &[Step], filter: Option<&str>) -> Result<()> {
    let default_steps = [Step::Lint, Step::Unit, Step::Mutants, Step::Template, Step::System];
    let steps = if steps.is_empty() { &default_steps } else { steps };
    let mut tools = None;
    if steps.iter().any(|step| matches!(step, Step::Template | Step::System | Step::Long)) {
        tools = Some(PendingTools::begin(paths)?);
    } else if steps.contains(&Step::Unit) {
        // In the step `unit`, only the tests with rclone and boto3 need a tool. Without it, they are
        // skipped.
        tools = PendingTools::begin(paths).ok();
    }
    let mut installed_tools =
        || tools.as_mut().context("the tools were not requested")?.get().cloned();
    let results: Vec<_> = steps
        .iter()
        .map(|&step| {
            println!("\n==> {}", step.name());
            let start = Instant::now();
            let counts_or_error = run_step(paths, step, &mut installed_tools, filter);
            let (counts, error) = match counts_or_error {
                Ok(counts) if counts.failed == 0 => (counts, None),
                Ok(counts) => (counts, Some(anyhow!("{} tests failed", counts.failed))),
                Err(error) => (Counts::default(), Some(error)),
            };
            if let Some(error) = &error {
                eprintln!("{}: {error:#}", step.name());
            }
            StepResult { step, took: start.elapsed(), counts, error }
        })
        .collect();
    print_summary(&results)
}

/// Runs one step and returns the numbers of its tests. `tools` waits until the tools are installed,
/// and returns them.
fn run_step(
    paths: &Paths,
    step: Step,
    tools: &mut dyn FnMut() -> Result<Tools>,
    filter: Option<&str>,
) -> Result<Counts> {
    match step {
        Step::Lint => {
            lint::run(paths)?;
            check::run(paths, &[])?;
            Ok(Counts::default())
        }
        Step::Unit => run_unit_tests(paths, tools(), filter),
        Step::Mutants => mutants::run(paths, filter),
        Step::Template => {
            template::run(paths, &tools()?)?;
            Ok(Counts::default())
        }
        Step::System => system::run(paths, &tools()?, filter),
        Step::Long => long::run(paths, tools, filter),
        Step::Faults => {
            suites::faults(paths)?;
            Ok(Counts::default())
        }
    }
}

/// Runs the step `unit`. If rclone cannot be installed, the tests that need it are skipped.
fn run_unit_tests(paths: &Paths, tools: Result<Tools>, filter: Option<&str>) -> Result<Counts> {
    // The tools' environment contains boto3, because the emulator and SAM need it.
    let python = tools.as_ref().ok().map(Tools::python);
    if python.is_none() {
        println!("skipped: the test of the simulated S3 with boto3");
    }
    let tests = "the tests of the simulated Graph with rclone";
    let rclone = extras::RCLONE.or_skip(paths, tools, tests);
    let programs = [(BOTO3_PYTHON, python), (extras::RCLONE.variable, rclone)];
    let environment: Vec<(&str, &OsStr)> = programs
        .iter()
        .filter_map(|(variable, program)| Some((*variable, program.as_ref()?.as_os_str())))
        .collect();
    suites::run(paths, suites::UNIT, filter, &environment)
}

/// Prints the result of each step and the total counts. Returns an error if a step failed.
fn print_summary(results: &[StepResult]) -> Result<()> {
    println!("\n==> summary");
    let mut total = Counts::default();
    for StepResult { step, took, counts, error } in results {
        let verdict = if error.is_none() { "ok    " } else { "FAILED" };
        let count = counts.passed + counts.failed;
        let count_text = if count > 0 { format!("{count} tests") } else { String::new() };
        println!("{verdict} {:<9} {:>5} s  {count_text}", step.name(), took.as_secs());
        // The error is printed a second time, because a log is often read from its end.
        if let Some(error) = error {
            println!("       {error:#}");
        }
        total.passed += counts.passed;
        total.failed += counts.failed;
        total.skipped += counts.skipped;
    }
    let failed_steps: Vec<_> = results
        .iter()
        .filter(|result| result.error.is_some())
        .map(|result| result.step.name())
        .collect();
    println!("tests: {} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    if !failed_steps.is_empty() {
        bail!("failed: {}", failed_steps.join(", "));
    }
    Ok(())
}
