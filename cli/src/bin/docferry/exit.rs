//! How the command ends.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use docferry_cli::ClientError;
use docferry_cli::fetch::FetchError;
use docferry_cli::job::JobStatus;
use docferry_cli::watch::Outcome;
use miette::Diagnostic;

/// The exit codes, the one that counts more being the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    Completed,
    Partial,
    TimedOut,
    Failed,
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
            // 128 and the signal's number, as shells have it: SIGINT and SIGPIPE.
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
            FetchError::NothingThere { .. } => Self::Failed,
            FetchError::NotReady => Self::TimedOut,
            FetchError::Broken { .. } | FetchError::Foreign { .. } => Self::Unreachable,
            FetchError::Store { .. } if error.is_transient() => Self::Unreachable,
            _ => Self::Other,
        }
    }
}

impl Exit {
    /// What the end of a transfer or job means for who wanted it delivered.
    pub(crate) fn of<S>(outcome: &Outcome<S>) -> Self {
        match outcome {
            Outcome::Completed(_) => Self::Completed,
            Outcome::Failed(_) => Self::Failed,
            Outcome::TimedOut(_) => Self::TimedOut,
        }
    }

    /// The same for a job, which may be completed without all of its documents.
    pub(crate) fn of_job(outcome: &Outcome<JobStatus>) -> Self {
        match outcome {
            Outcome::Completed(status) if status.lost() > 0 => Self::Partial,
            outcome => Self::of(outcome),
        }
    }
}

/// What ends the command before its work is done.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum CliError {
    #[error("no {what} was given")]
    #[diagnostic(code(docferry::usage), help("pass {option} or set {variable}"))]
    Missing { what: &'static str, option: &'static str, variable: &'static str },

    #[error("the password file {} cannot be read", path.display())]
    #[diagnostic(code(docferry::usage))]
    PasswordFile { path: PathBuf, source: io::Error },

    #[error("there is no password in the first line of {}", path.display())]
    #[diagnostic(code(docferry::usage))]
    EmptyPassword { path: PathBuf },

    #[error("one file cannot hold several documents")]
    #[diagnostic(code(docferry::usage), help("let --output be a folder"))]
    ManyForOneFile,

    #[error("one key cannot stand for several documents")]
    #[diagnostic(
        code(docferry::usage),
        help("send the documents one by one, or leave out --idempotency-key")
    )]
    KeyForMany,

    #[cfg(feature = "admin")]
    #[error("{name} cannot be read")]
    #[diagnostic(code(docferry::file), help("nothing was loaded"))]
    Input { name: String, source: io::Error },

    #[error(transparent)]
    #[diagnostic(transparent)]
    Fetch(#[from] FetchError),

    // Not by `From`: an error of a file would be taken for one of the output.
    #[error("a result could not be printed")]
    #[diagnostic(code(docferry::output))]
    Output(#[source] io::Error),

    #[error("Ctrl-C cannot be caught")]
    #[diagnostic(code(docferry::signal))]
    Signal(#[source] io::Error),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Client(#[from] ClientError),

    #[cfg(feature = "admin")]
    #[error(transparent)]
    #[diagnostic(transparent)]
    Admin(#[from] crate::admin::AdminError),
}

impl CliError {
    /// Whether the reader of our output has closed it.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => error.into(),
            Self::Fetch(error) => error.into(),
            #[cfg(feature = "admin")]
            Self::Admin(error) => error.exit(),
            _ => Exit::Other,
        }
    }
}
