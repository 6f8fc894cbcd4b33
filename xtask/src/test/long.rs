//! `cargo xtask test long`: many cases of what the other steps try a few of.

use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::Counts;
use super::system::System;
use crate::binaries::cargo;
use crate::paths::Paths;
use crate::process;
use crate::tools::Tools;

/// A kind of case, and how many are tried.
struct Part {
    name: &'static str,
    /// Sets how many; when it is set already, that counts.
    variable: &'static str,
    count: &'static str,
    place: Place,
}

enum Place {
    /// A test binary that needs nothing beside it.
    Binary(&'static str),
    /// The tests of this name against a deployed system.
    System(&'static str),
}

const PARTS: [Part; 5] = [
    Part {
        name: "upload-model",
        variable: "DOCFERRY_MODEL_CASES",
        count: "100000",
        place: Place::Binary("course_model"),
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
        place: Place::System("whatever_is_asked"),
    },
    Part {
        name: "chaos",
        variable: "DOCFERRY_CHAOS_ROUNDS",
        count: "5",
        place: Place::System("whatever_is_killed"),
    },
];

/// What came of a part.
struct Figures {
    part: &'static Part,
    asked: OsString,
    took: Duration,
    result: Result<Counts>,
}

/// Runs every part, or those whose names contain `filter`; goes on after a failure, and
/// prints the figures of all.
pub(crate) fn run(
    paths: &Paths,
    tools: impl FnOnce() -> Result<Tools>,
    filter: Option<&str>,
) -> Result<Counts> {
    let is_wanted = |part: &&Part| filter.is_none_or(|filter| part.name.contains(filter));
    let parts: Vec<_> = PARTS.iter().filter(is_wanted).collect();
    if parts.is_empty() {
        bail!("no part has such a name; there are {}", PARTS.map(|part| part.name).join(", "));
    }
    let (on_a_system, alone): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| matches!(part.place, Place::System(_)));
    let mut figures: Vec<_> = alone.into_iter().map(|part| try_part(paths, part, None)).collect();
    // One system for all of them, and none when none is wanted.
    if !on_a_system.is_empty() {
        let system = System::up(paths, &tools()?)?;
        figures.extend(on_a_system.into_iter().map(|part| try_part(paths, part, Some(&system))));
    }
    sum_up(&figures)
}

fn try_part(paths: &Paths, part: &'static Part, system: Option<&System>) -> Figures {
    let asked = std::env::var_os(part.variable).unwrap_or_else(|| part.count.into());
    println!("\n--> {}: {}={}", part.name, part.variable, asked.display());
    let start = Instant::now();
    let result = match (&part.place, system) {
        (Place::Binary(binary), _) => on_its_own(paths, binary, (part.variable, &asked)),
        (Place::System(test), Some(system)) => {
            system.test(paths, Some(test), &[(part.variable, &asked)])
        }
        (Place::System(_), None) => Err(anyhow!("no system is up")),
    };
    Figures { part, asked, took: start.elapsed(), result }
}

/// By cargo's own runner: nextest ends a test that takes minutes.
fn on_its_own(paths: &Paths, binary: &str, cases: (&str, &OsStr)) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut command = cargo(paths);
    // The whole workspace, for the features that the other steps compile with.
    command.args(["test", "--workspace", "--test", binary]).env(cases.0, cases.1);
    let success = process::watch_stdout(&mut command, |line| counts.read_cargo(line))?;
    if !success && counts.failed == 0 {
        bail!("the tests did not run");
    }
    Ok(counts)
}

/// Prints a line a part; an error when one of them found something.
fn sum_up(figures: &[Figures]) -> Result<Counts> {
    println!("\nlong runs:");
    let mut all = Counts::default();
    let mut failed = Vec::new();
    for Figures { part, asked, took, result } in figures {
        let (name, variable, asked) = (part.name, part.variable, asked.display());
        let said = match result {
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
        println!("{name:<13} {variable}={asked:<8} {:>6} s  {said}", took.as_secs());
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
        Figures { part: &PARTS[0], asked: "1".into(), took: Duration::ZERO, result }
    }

    #[test]
    fn part_that_fails_or_runs_no_test_fails_the_whole() {
        let passed = || Ok(Counts { passed: 2, ..Counts::default() });
        assert_eq!(sum_up(&[figures(passed()), figures(passed())]).unwrap().passed, 4);
        let bad = Counts { passed: 1, failed: 1, ..Counts::default() };
        for bad in [Ok(bad), Ok(Counts::default()), Err(anyhow!("no stack"))] {
            let error = sum_up(&[figures(passed()), figures(bad)]).unwrap_err();
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
