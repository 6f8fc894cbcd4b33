//! Types and rules of command line arguments that several subcommands share: priorities, job
//! states, the limits of waiting, and empty values.

use std::time::Duration;

use clap::{Args, ValueEnum};
use docferry_cli::job::{JobState, Priority};
use docferry_cli::watch::Options;

/// Returns the value of an option or of its environment variable, unless the value is empty. An
/// empty value counts as not set, as everywhere in docferry.
pub(crate) fn non_empty(value: Option<&String>) -> Option<&String> {
    value.filter(|value| !value.is_empty())
}

/// A [`Priority`], as users write it in an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PriorityName {
    Low,
    Normal,
    High,
}

impl From<PriorityName> for Priority {
    fn from(name: PriorityName) -> Self {
        match name {
            PriorityName::Low => Self::Low,
            PriorityName::Normal => Self::Normal,
            PriorityName::High => Self::High,
        }
    }
}

/// A [`JobState`], as users write it in an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum StateName {
    Queued,
    Running,
    ProcessingArtifacts,
    Completed,
    Failed,
    Canceled,
    Expired,
}

impl From<StateName> for JobState {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Queued => Self::Queued,
            StateName::Running => Self::Running,
            StateName::ProcessingArtifacts => Self::ProcessingArtifacts,
            StateName::Completed => Self::Completed,
            StateName::Failed => Self::Failed,
            StateName::Canceled => Self::Canceled,
            StateName::Expired => Self::Expired,
        }
    }
}

/// Limits of waiting and of retries.
#[derive(Debug, Args)]
pub(crate) struct WaitOptions {
    /// Maximum time to wait for the end, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 14_400)]
    timeout: u64,

    /// Maximum number of retries after a transient failure
    #[arg(long, value_name = "TIMES", default_value_t = 6)]
    retries: usize,
}

impl WaitOptions {
    /// Returns the limits as the client library takes them.
    pub(crate) fn options(&self) -> Options {
        Options { timeout: Duration::from_secs(self.timeout), retries: self.retries }
    }
}
