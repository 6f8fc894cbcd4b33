//! Exit codes of the `docferry` command. The help text in `args.rs` explains them to users.

use std::process::ExitCode;

use docferry_cli::ClientError;
use docferry_cli::fetch::FetchError;
use docferry_cli::job::JobStatus;
use docferry_cli::watch::Outcome;

/// Exit code of the command. The variants are in the order of their priority: if several apply, the
/// last one counts (`Ord::max`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    Completed,
    /// A job was completed without some of its documents.
    Partial,
    TimedOut,
    /// A transfer or job failed.
    Failed,
    /// Wrong usage, a refused request, or any other error.
    Other,
    Unreachable,
    Unauthorized,
    Interrupted,
    BrokenPipe,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Completed => 0,
            Exit::Other => 1,
            Exit::Failed => 2,
            Exit::TimedOut => 3,
            Exit::Unauthorized => 4,
            Exit::Unreachable => 5,
            Exit::Partial => 6,
            // 128 plus the number of the signal, as in shells: SIGINT and SIGPIPE.
            Exit::Interrupted => 130,
            Exit::BrokenPipe => 141,
        })
    }
}

impl From<&ClientError> for Exit {
    fn from(error: &ClientError) -> Self {
        match error {
            ClientError::Unauthorized { .. } => Self::Unauthorized,
            ClientError::Unavailable { .. } | ClientError::Unreachable { .. } => Self::Unreachable,
            _ => Self::Other,
        }
    }
}

impl From<&FetchError> for Exit {
    fn from(error: &FetchError) -> Self {
        match error {
            FetchError::Client(error) => error.into(),
            FetchError::NothingToFetch { .. } => Self::Failed,
            FetchError::NotReady => Self::TimedOut,
            FetchError::Broken { .. } | FetchError::Foreign { .. } => Self::Unreachable,
            FetchError::Store { .. } if error.is_transient() => Self::Unreachable,
            _ => Self::Other,
        }
    }
}

impl Exit {
    /// Returns the exit code for the outcome of a transfer, or of a job whose documents have exit
    /// codes of their own.
    pub(crate) fn of<S>(outcome: &Outcome<S>) -> Self {
        match outcome {
            Outcome::Completed(_) => Self::Completed,
            Outcome::Failed(_) => Self::Failed,
            Outcome::TimedOut(_) => Self::TimedOut,
        }
    }

    /// Returns the exit code for the outcome of a whole job, which may be completed without some of
    /// its documents.
    pub(crate) fn of_job(outcome: &Outcome<JobStatus>) -> Self {
        match outcome {
            Outcome::Completed(status) if status.undelivered_documents() > 0 => Self::Partial,
            outcome => Self::of(outcome),
        }
    }
}
