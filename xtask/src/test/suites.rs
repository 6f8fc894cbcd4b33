//! Runs test suites with cargo-nextest, or with `cargo test` if cargo-nextest is not installed.
//!
//! A *suite* is a selection of tests. The tests are counted from the output of the test runner.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::step::Counts;
use crate::binaries::cargo;
use crate::paths::Paths;
use crate::process;

/// A selection of tests, expressed for both test runners.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suite {
    /// Filter for nextest. nextest always builds the whole workspace, so that all test steps use
    /// the same features and the same compiled dependencies.
    filterset: &'static str,
    /// Arguments for `cargo test`, which can select packages only.
    packages: &'static [&'static str],
}

/// Package of the tests against the deployed system.
const SYSTEM_TESTS: &str = "docferry-system-tests";

/// Package of the AWS adapters. Most of its tests need the emulator.
const ADAPTERS: &str = "docferry-aws";

/// All tests that need neither an emulator nor a deployed system.
pub(crate) const UNIT: Suite = Suite {
    filterset: "not package(docferry-system-tests) and not package(docferry-aws)",
    packages: &["--workspace", "--exclude", SYSTEM_TESTS, "--exclude", ADAPTERS],
};

/// The system tests, and the tests of the adapters on the same emulator.
pub(crate) const SYSTEM: Suite = Suite {
    filterset: "package(docferry-system-tests) or package(docferry-aws)",
    packages: &["--package", SYSTEM_TESTS, "--package", ADAPTERS],
};

/// Compiles all tests without running them.
pub(crate) fn build(paths: &Paths) -> Result<()> {
    process::run(cargo(paths).args(["test", "--workspace", "--no-run", "--quiet"]))
}

/// Simulates every known fault during an upload and prints the outcomes.
pub(crate) fn faults(paths: &Paths) -> Result<()> {
    let test = ["test", "--package", "docferry-graph", "--test", "faults", "--", "--nocapture"];
    process::run(cargo(paths).args(test))
}

/// Runs the tests of a suite whose names contain `filter`, and counts them. A failed test is
/// counted, but does not make this function fail.
pub(crate) fn run(
    paths: &Paths,
    suite: Suite,
    filter: Option<&str>,
    environment: &[(&str, &OsStr)],
) -> Result<Counts> {
    let mut counts = Counts::default();
    let uses_nextest = has_nextest();
    let mut command = cargo(paths);
    if uses_nextest {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests", "pass"]);
        command.args(["--filterset", suite.filterset]).args(filter);
    } else {
        println!("cargo-nextest is not installed; using the slower cargo test");
        command.arg("test").args(suite.packages).args(["--no-fail-fast", "--"]).args(filter);
        // The system tests share one stack. With more threads, they would slow each other down
        // until they miss their deadlines.
        if suite.filterset == SYSTEM.filterset {
            command.arg("--test-threads=4");
        }
    }
    command.envs(environment.iter().copied());
    let success = if uses_nextest {
        process::watch_stderr(&mut command, |line| counts.read_nextest(line))?
    } else {
        process::watch_stdout(&mut command, |line| counts.read_cargo(line))?
    };
    if !success && counts.failed == 0 {
        bail!("the tests did not run");
    }
    // With a filter, a suite without a matching test is not an error.
    if filter.is_none() && counts.passed + counts.failed == 0 {
        bail!("no test was run");
    }
    Ok(counts)
}

fn has_nextest() -> bool {
    let mut probe = Command::new("cargo-nextest");
    probe.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

impl Counts {
    /// Counts the tests in nextest's summary line:
    /// `     Summary [   0.012s] 9 tests run: 8 passed (1 slow), 1 failed, 1 timed out, 2 skipped`
    fn read_nextest(&mut self, line: &str) {
        let line = without_colors(line);
        let summary = line.trim().strip_prefix("Summary");
        if let Some((_, counts)) = summary.and_then(|summary| summary.split_once(':')) {
            self.add(counts);
        }
    }

    /// Counts the tests in a result line of `cargo test`:
    /// `test result: FAILED. 8 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; …`
    pub(super) fn read_cargo(&mut self, line: &str) {
        if let Some((_, counts)) =
            line.strip_prefix("test result:").and_then(|result| result.split_once(". "))
        {
            self.add(&counts.replace(';', ","));
        }
    }

    /// Adds the numbers in a text such as `8 passed (1 slow), 1 failed`.
    fn add(&mut self, counts: &str) {
        for (number, outcome) in counts.split(',').filter_map(|count| count.trim().split_once(' '))
        {
            let Ok(number) = number.parse::<u64>() else { continue };
            // The number before the parentheses includes the number in parentheses.
            match outcome.split(" (").next().unwrap_or(outcome) {
                "passed" => self.passed += number,
                "skipped" | "ignored" => self.skipped += number,
                "failed" | "timed out" | "exec failed" => self.failed += number,
                _ => {}
            }
        }
    }
}

/// Returns a line without the escape sequences that set colors.
fn without_colors(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A color escape sequence ends with `m`.
            let _sequence = characters.by_ref().take_while(|next| *next != 'm').count();
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_in_a_nextest_summary_are_counted_with_and_without_colors() {
        let mut counts = Counts::default();
        counts.read_nextest("     Summary [   0.012s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 4 skipped");
        counts.read_nextest("\u{1b}[32;1m     Summary\u{1b}[0m [   1.2s] \u{1b}[1m1\u{1b}[0m test run: \u{1b}[1m1\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m0\u{1b}[0m \u{1b}[33;1mskipped\u{1b}[0m");
        assert_eq!(counts, Counts { passed: 7, failed: 3, skipped: 4 });
    }

    #[test]
    fn tests_in_several_cargo_test_results_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            counts.read_cargo(line);
        }
        assert_eq!(counts, Counts { passed: 4, failed: 2, skipped: 1 });
    }
}
