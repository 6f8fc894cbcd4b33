//! Results of tests, and verdicts about mutants.

use std::fmt;

use super::header::TestName;
use crate::test::step::Counts;

/// Result of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TestResult {
    Passed,
    Failed,
    /// The test did not end in time, which counts as a failure.
    Hung,
    /// No test of that name was run.
    NotThere,
}

impl TestResult {
    /// Determines the result from the output and exit status of the test program. A program without
    /// a summary has crashed.
    pub(super) fn of(printed: &str, succeeded: bool) -> Self {
        let mut counts = Counts::default();
        for line in printed.lines() {
            counts.read_cargo(line);
        }
        match counts {
            _ if counts.failed > 0 || !succeeded => Self::Failed,
            Counts { passed: 0, .. } => Self::NotThere,
            _ => Self::Passed,
        }
    }

    /// Returns the problem with this result when the code is correct.
    pub(super) fn baseline_problem(self) -> Option<&'static str> {
        match self {
            Self::Passed => None,
            Self::Failed => Some("fails"),
            Self::Hung => Some("does not end"),
            Self::NotThere => Some("does not exist"),
        }
    }
}

/// Verdict about a mutant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All named tests failed.
    Caught,
    /// These tests passed.
    Missed(Vec<TestName>),
    /// The mutant is invalid, so the patch must be fixed.
    Broken(String),
}

impl Verdict {
    pub(super) fn of(results: &[(TestName, TestResult)]) -> Self {
        if let Some((test, _)) = results.iter().find(|(_, r)| *r == TestResult::NotThere) {
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
        assert_eq!(TestResult::of(&summary(0, 0), true), TestResult::NotThere);
    }

    #[test]
    fn mutant_is_caught_only_if_all_named_tests_fail() {
        let test =
            |function: &str| TestName { file: "a/src/b.rs".into(), function: function.into() };
        let with = |results: &[TestResult]| {
            let named = results.iter().enumerate();
            Verdict::of(&named.map(|(index, r)| (test(&index.to_string()), *r)).collect::<Vec<_>>())
        };
        assert_eq!(with(&[TestResult::Failed, TestResult::Hung]), Verdict::Caught);
        let missed = with(&[TestResult::Failed, TestResult::Passed]);
        assert_eq!(missed, Verdict::Missed(vec![test("1")]));
        let broken = with(&[TestResult::NotThere, TestResult::Passed]);
        assert!(matches!(broken, Verdict::Broken(_)), "{broken}");
    }
}
