//! `cargo xtask test long`: runs the randomized tests with many more cases than a normal test run.
//!
//! A *part* of the run is one randomized test. An environment variable sets its number of *cases*:
//! the number of random inputs, or of rounds, that the test tries.

use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::step::Counts;
use super::system::System;
use crate::binaries::cargo;
use crate::paths::Paths;
use crate::process;
use crate::tools::Tools;

/// A randomized test with its default number of cases.
struct Part {
    name: &'static str,
    /// Environment variable with the number of cases. If the caller has set it, its value replaces
    /// the default.
    variable: &'static str,
    /// Default number of cases.
    default_cases: &'static str,
    place: Place,
}

/// Where the tests of a part are.
enum Place {
    /// A test binary of a package that needs no deployed system.
    Binary { package: &'static str, test: &'static str },
    /// The tests against a deployed system whose names contain this text.
    System(&'static str),
}

/// All parts of the long run.
const PARTS: [Part; 6] = [
    Part {
        name: "upload-model",
        variable: "DOCFERRY_MODEL_CASES",
        default_cases: "100000",
        place: Place::Binary { package: "docferry-domain", test: "upload_machine" },
    },
    Part {
        name: "model",
        variable: "DOCFERRY_MODEL_CASES",
        default_cases: "100000",
        place: Place::Binary { package: "docferry-app", test: "model" },
    },
    Part {
        name: "identity",
        variable: "DOCFERRY_MODEL_CASES",
        default_cases: "10000",
        place: Place::Binary { package: "docferry-app", test: "identity" },
    },
    Part {
        name: "registry",
        variable: "DOCFERRY_REGISTRY_DOCUMENTS",
        default_cases: "100000",
        place: Place::System("page_is_one_query_of_equal_cost"),
    },
    Part {
        name: "api",
        variable: "DOCFERRY_API_CASES",
        default_cases: "5000",
        place: Place::System("generated_requests_get_responses"),
    },
    Part {
        name: "chaos",
        variable: "DOCFERRY_CHAOS_ROUNDS",
        default_cases: "5",
        place: Place::System("chaos_leaves_no_wrong_outcome"),
    },
];

/// Result of a part.
struct PartResult {
    part: &'static Part,
    /// Number of cases that were requested.
    cases: OsString,
    took: Duration,
    /// Number of passed and failed tests, or the reason why the tests did not run.
    counts: Result<Counts>,
}

/// Runs the parts whose names contain `filter`, or all parts without a filter. A failed part does
/// not stop the following parts. At the end, the results of all parts are printed.
pub(crate) fn run(
    paths: &Paths,
    tools: impl FnOnce() -> Result<Tools>,
    filter: Option<&str>,
) -> Result<Counts> {
    let is_selected = |part: &&Part| filter.is_none_or(|filter| part.name.contains(filter));
    let parts: Vec<_> = PARTS.iter().filter(is_selected).collect();
    if parts.is_empty() {
        bail!("no part has this name; there are {}", PARTS.map(|part| part.name).join(", "));
    }
    let (system_parts, local_parts): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| matches!(part.place, Place::System(_)));
    let mut results: Vec<_> =
        local_parts.into_iter().map(|part| run_part(paths, part, None)).collect();
    // One system serves all parts that need it. Without such a part, no system is started.
    if !system_parts.is_empty() {
        let system = System::up(paths, &tools()?)?;
        results.extend(system_parts.into_iter().map(|part| run_part(paths, part, Some(&system))));
    }
    print_summary(&results)
}

/// Runs one part. `system` is the deployed system for a part that needs it.
fn run_part(paths: &Paths, part: &'static Part, system: Option<&System>) -> PartResult {
    let cases = std::env::var_os(part.variable).unwrap_or_else(|| part.default_cases.into());
    println!("\n--> {}: {}={}", part.name, part.variable, cases.display());
    let start = Instant::now();
    let counts = match (&part.place, system) {
        (Place::Binary { package, test }, _) => {
            let mut command = cargo(paths);
            command.args(["test", "--profile", "long", "--package", package, "--test", test]);
            run_binary(command.env(part.variable, &cases))
        }
        (Place::System(test), Some(system)) => {
            system.test(paths, Some(test), &[(part.variable, &cases)])
        }
        (Place::System(_), None) => Err(anyhow!("no system is running")),
    };
    PartResult { part, cases, took: start.elapsed(), counts }
}

/// Runs a test binary with cargo's own runner, because nextest terminates a test that takes
/// minutes.
fn run_binary(command: &mut Command) -> Result<Counts> {
    let mut counts = Counts::default();
    let success = process::watch_stdout(command, |line| counts.read_cargo(line))?;
    if !success && counts.failed == 0 {
        bail!("the tests did not run");
    }
    Ok(counts)
}

/// Prints one line for each part. Returns the total of the passed tests, or an error if a part
/// failed.
fn print_summary(results: &[PartResult]) -> Result<Counts> {
    println!("\nlong runs:");
    let mut total = Counts::default();
    let mut failed_parts = Vec::new();
    for PartResult { part, cases, took, counts } in results {
        let (name, variable, cases) = (part.name, part.variable, cases.display());
        let summary = match counts {
            Ok(counts) if counts.failed == 0 && counts.passed > 0 => {
                total.passed += counts.passed;
                format!("{} tests passed", counts.passed)
            }
            Ok(counts) => {
                failed_parts.push(name);
                format!("{} tests FAILED, {} passed", counts.failed, counts.passed)
            }
            Err(error) => {
                failed_parts.push(name);
                format!("FAILED: {error:#}")
            }
        };
        println!("{name:<13} {variable}={cases:<8} {:>6} s  {summary}", took.as_secs());
    }
    if !failed_parts.is_empty() {
        bail!("failed: {}", failed_parts.join(", "));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a result of the part `upload-model`.
    fn part_result(counts: Result<Counts>) -> PartResult {
        PartResult { part: &PARTS[0], cases: "1".into(), took: Duration::ZERO, counts }
    }

    #[test]
    fn part_with_a_failure_or_without_any_test_fails_the_long_run() {
        let passed = || Ok(Counts { passed: 2, ..Counts::default() });
        let total = print_summary(&[part_result(passed()), part_result(passed())]).unwrap();
        assert_eq!(total.passed, 4);

        let one_failure = Counts { passed: 1, failed: 1, ..Counts::default() };
        let no_test = Counts::default();
        for failing in [Ok(one_failure), Ok(no_test), Err(anyhow!("no stack"))] {
            let error = print_summary(&[part_result(passed()), part_result(failing)]).unwrap_err();
            assert_eq!(error.to_string(), "failed: upload-model");
        }
    }

    #[test]
    fn filter_that_matches_no_part_is_an_error() {
        let paths = Paths::of_workspace().unwrap();
        let error = run(&paths, || bail!("not needed"), Some("nothing")).unwrap_err();
        assert!(error.to_string().contains("there are upload-model, model"), "{error}");
    }
}
