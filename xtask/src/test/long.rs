//! `cargo xtask test long`: runs the randomized tests with many more cases than the other steps.

use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::step::Counts;
use super::system::System;
use crate::binaries::cargo;
use crate::paths::Paths;
use crate::process;
use crate::tools::Tools;

/// A randomized test and its number of cases.
struct Part {
    name: &'static str,
    /// Environment variable with the number of cases. A value that is already set takes precedence.
    variable: &'static str,
    /// Default number of cases.
    count: &'static str,
    place: Place,
}

/// Location of a part's tests.
enum Place {
    /// A test binary that needs no deployed system.
    Binary(&'static str),
    /// The tests against a deployed system whose names contain this text.
    System(&'static str),
}

const PARTS: [Part; 5] = [
    Part {
        name: "upload-model",
        variable: "DOCFERRY_MODEL_CASES",
        count: "100000",
        place: Place::Binary("upload_machine"),
    },
    Part {
        name: "model",
        variable: "DOCFERRY_MODEL_CASES",
        count: "100000",
        place: Place::Binary("model"),
    },
    Part {
        name: "identity",
        variable: "DOCFERRY_MODEL_CASES",
        count: "10000",
        place: Place::Binary("identity"),
    },
    Part {
        name: "api",
        variable: "DOCFERRY_API_CASES",
        count: "5000",
        place: Place::System("generated_requests_get_responses"),
    },
    Part {
        name: "chaos",
        variable: "DOCFERRY_CHAOS_ROUNDS",
        count: "5",
        place: Place::System("chaos_leaves_no_wrong_outcome"),
    },
];

/// Result of a part.
struct Figures {
    part: &'static Part,
    /// Number of cases that were requested.
    cases: OsString,
    took: Duration,
    result: Result<Counts>,
}

/// Runs every part, or those whose names contain `filter`. Continues after a failure, and prints
/// the results of all parts.
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
    let mut figures: Vec<_> =
        local_parts.into_iter().map(|part| run_part(paths, part, None)).collect();
    // Starts at most one system for all parts, and none if no part needs it.
    if !system_parts.is_empty() {
        let system = System::up(paths, &tools()?)?;
        figures.extend(system_parts.into_iter().map(|part| run_part(paths, part, Some(&system))));
    }
    sum_up(&figures)
}

fn run_part(paths: &Paths, part: &'static Part, system: Option<&System>) -> Figures {
    let cases = std::env::var_os(part.variable).unwrap_or_else(|| part.count.into());
    println!("\n--> {}: {}={}", part.name, part.variable, cases.display());
    let start = Instant::now();
    let result = match (&part.place, system) {
        (Place::Binary(binary), _) => run_binary(paths, binary, (part.variable, &cases)),
        (Place::System(test), Some(system)) => {
            system.test(paths, Some(test), &[(part.variable, &cases)])
        }
        (Place::System(_), None) => Err(anyhow!("no system is running")),
    };
    Figures { part, cases, took: start.elapsed(), result }
}

/// Runs a test binary with cargo's own runner, because nextest terminates a test that takes
/// minutes.
fn run_binary(paths: &Paths, binary: &str, variable: (&str, &OsStr)) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut command = cargo(paths);
    // Builds the whole workspace, so that the features are the same as in the other steps.
    command.args(["test", "--workspace", "--test", binary]).env(variable.0, variable.1);
    let success = process::watch_stdout(&mut command, |line| counts.read_cargo(line))?;
    if !success && counts.failed == 0 {
        bail!("the tests did not run");
    }
    Ok(counts)
}

/// Prints one line per part; returns an error if a part failed.
fn sum_up(figures: &[Figures]) -> Result<Counts> {
    println!("\nlong runs:");
    let mut all = Counts::default();
    let mut failed = Vec::new();
    for Figures { part, cases, took, result } in figures {
        let (name, variable, cases) = (part.name, part.variable, cases.display());
        let summary = match result {
            Ok(counts) if counts.failed == 0 && counts.passed > 0 => {
                all.passed += counts.passed;
                format!("{} tests passed", counts.passed)
            }
            Ok(counts) => {
                failed.push(name);
                format!("{} tests FAILED, {} passed", counts.failed, counts.passed)
            }
            Err(error) => {
                failed.push(name);
                format!("FAILED: {error:#}")
            }
        };
        println!("{name:<13} {variable}={cases:<8} {:>6} s  {summary}", took.as_secs());
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(result: Result<Counts>) -> Figures {
        Figures { part: &PARTS[0], cases: "1".into(), took: Duration::ZERO, result }
    }

    #[test]
    fn failing_or_empty_part_fails_the_long_run() {
        let passed = || Ok(Counts { passed: 2, ..Counts::default() });
        assert_eq!(sum_up(&[figures(passed()), figures(passed())]).unwrap().passed, 4);
        let failing = Counts { passed: 1, failed: 1, ..Counts::default() };
        for failing in [Ok(failing), Ok(Counts::default()), Err(anyhow!("no stack"))] {
            let error = sum_up(&[figures(passed()), figures(failing)]).unwrap_err();
            assert_eq!(error.to_string(), "failed: upload-model");
        }
    }

    #[test]
    fn unknown_part_is_an_error() {
        let paths = Paths::of_workspace().unwrap();
        let error = run(&paths, || bail!("not needed"), Some("nothing")).unwrap_err();
        assert!(error.to_string().contains("there are upload-model, model"), "{error}");
    }
}
