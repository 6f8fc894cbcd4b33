//! Result of running one test, and the verdict about a mutant.
//!
//! A mutant is a patch that adds a mistake to the code. Its header names the tests that must fail
//! with the mistake. The verdict depends on the results of these tests.

use std::fmt;

use super::header::TestName;
use crate::test::step::Counts;

/// Result of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TestResult {
    Passed,
    Failed,
    /// The test did not end in time. This counts as a failure.
    Hung,
    /// No test of that name was run.
    Missing,
}

impl TestResult {
    /// Determines the result from the output and the exit status of the test program. A program
    /// that fails without printing a summary has crashed.
    pub(super) fn of(output: &str, succeeded: bool) -> Self {
        let mut counts = Counts::default();
        for line in output.lines() {
            counts.read_cargo(line);
        }
        match counts {
            _ if counts.failed > 0 || !succeeded => Self::Failed,
            Counts { passed: 0, .. } => Self::Missing,
            _ => Self::Passed,
        }
    }

    /// Describes the failure of a test with the correct code. Returns `None` if the test passed.
    pub(super) fn baseline_failure(self) -> Option<&'static str> {
        match self {
            Self::Passed => None,
            Self::Failed => Some("fails"),
            Self::Hung => Some("does not end"),
            Self::Missing => Some("does not exist"),
        }
    }
}

/// Verdict about a mutant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All tests that the mutant names failed.
    Caught,
    /// These tests passed, although they should have failed.
    Missed(Vec<TestName>),
    /// The mutant cannot be tested for this reason, so its patch must be corrected.
    Broken(String),
}

impl Verdict {
    /// Returns the verdict about a mutant whose tests have these results.
    pub(super) fn of(results: &[(TestName, TestResult)]) -> Self {
        if let Some((test, _)) = results.iter().find(|(_, result)| *result == TestResult::Missing) {
            return Self::Broken(format!("there is no test {test}"));
        }
        let passed = results.iter().filter(|(_, result)| *result == TestResult::Passed);
        let passed: Vec<_> = passed.map(|(test, _)| test.clone()).collect();
        if passed.is_empty() { Self::Caught } else { Self::Missed(passed) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught => f.write_str("caught"),
            Self::Missed(tests) => {
                let tests: Vec<_> = tests.iter().map(ToString::to_string).collect();
                write!(f, "MISSED, it passes {}", tests.join(", "))
            }
            Self::Broken(reason) => write!(f, "BROKEN, {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the summary line of `cargo test`.
    fn summary(passed: u32, failed: u32) -> String {
        format!(
            "test result: x. {passed} passed; {failed} failed; 0 ignored; 0 measured; 9 filtered out"
        )
    }

    #[test]
    fn test_result_follows_from_the_summary_and_a_crash_is_a_failure() {
        assert_eq!(TestResult::of(&summary(1, 0), true), TestResult::Passed);
        assert_eq!(TestResult::of(&summary(0, 1), false), TestResult::Failed);
        assert_eq!(TestResult::of("", false), TestResult::Failed);
        assert_eq!(TestResult::of(&summary(0, 0), true), TestResult::Missing);
    }

    #[test]
    fn mutant_is_caught_only_if_all_named_tests_fail() {
        let test =
            |function: &str| TestName { file: "a/src/b.rs".into(), function: function.into() };
        let verdict_of = |results: &[TestResult]| {
            let numbered = results.iter().enumerate();
            let by_test = numbered.map(|(number, result)| (test(&number.to_string()), *result));
            Verdict::of(&by_test.collect::<Vec<_>>())
        };
        assert_eq!(verdict_of(&[TestResult::Failed, TestResult::Hung]), Verdict::Caught);
        let missed = verdict_of(&[TestResult::Failed, TestResult::Passed]);
        assert_eq!(missed, Verdict::Missed(vec![test("1")]));
        let broken = verdict_of(&[TestResult::Missing, TestResult::Passed]);
        assert!(matches!(broken, Verdict::Broken(_)), "{broken}");
    }
}
