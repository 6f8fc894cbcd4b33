//! Exit codes and errors of the command.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use docferry_cli::ClientError;
use docferry_cli::fetch::FetchError;
use docferry_cli::job::JobStatus;
use docferry_cli::watch::Outcome;
use miette::Diagnostic;

/// Exit code of the command. When several apply, the greatest variant counts.
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
    /// Exit code for the end of a delivery.
    pub(crate) fn of<S>(outcome: &Outcome<S>) -> Self {
        match outcome {
            Outcome::Completed(_) => Self::Completed,
            Outcome::Failed(_) => Self::Failed,
            Outcome::TimedOut(_) => Self::TimedOut,
        }
    }

    /// Exit code for the end of a job, which may be completed without some of its documents.
    pub(crate) fn of_job(outcome: &Outcome<JobStatus>) -> Self {
        match outcome {
            Outcome::Completed(status) if status.lost() > 0 => Self::Partial,
            outcome => Self::of(outcome),
        }
    }
}

/// Error that ends the command early.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum CliError {
    #[error("the {what} is missing")]
    #[diagnostic(code(docferry::usage), help("pass {option} or set {variable}"))]
    Missing { what: &'static str, option: &'static str, variable: &'static str },

    #[error("the password file {} cannot be read", path.display())]
    #[diagnostic(code(docferry::usage))]
    PasswordFile { path: PathBuf, source: io::Error },

    #[error("the first line of the password file {} is empty", path.display())]
    #[diagnostic(code(docferry::usage))]
    EmptyPassword { path: PathBuf },

    #[error("several documents cannot be written to one file")]
    #[diagnostic(code(docferry::usage), help("use a folder for --output"))]
    ManyForOneFile,

    #[error("one idempotency key cannot be used for several documents")]
    #[diagnostic(
        code(docferry::usage),
        help("send the documents one by one, or omit --idempotency-key")
    )]
    KeyForManyDocuments,

    #[cfg(feature = "admin")]
    #[error("{name} cannot be read")]
    #[diagnostic(code(docferry::file), help("nothing was imported"))]
    Input { name: String, source: io::Error },

    #[error(transparent)]
    #[diagnostic(transparent)]
    Fetch(#[from] FetchError),

    // No `From<io::Error>`: errors of files would be converted to this variant, too.
    #[error("a result could not be printed")]
    #[diagnostic(code(docferry::output))]
    Output(#[source] io::Error),

    #[error("the handler for Ctrl-C cannot be installed")]
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
    /// Whether the reader of the output closed the pipe.
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
