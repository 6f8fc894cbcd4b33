//! Steps of `cargo xtask test`, and the numbers of tests in a step.

use clap::ValueEnum;

/// A step of the test run. Steps run in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Format, clippy, static checks, licences.
    Lint,
    /// Unit, property and conformance tests, without an emulator.
    Unit,
    /// Mutation tests: wrong versions of the code, each of which the named tests must detect.
    Mutants,
    /// `sam validate --lint` and cfn-lint for the template and the state machines.
    Template,
    /// Tests of the whole system on the local cloud, with IAM enforced.
    System,
    /// Table of all known upload faults and their outcomes. Runs only when named, because `unit`
    /// contains the same test.
    Faults,
    /// The models, the API and chaos with many cases. Takes an hour or more, and runs only when
    /// named.
    Long,
}

impl Step {
    /// Returns the name by which the command line selects the step.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Numbers of tests, by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}
