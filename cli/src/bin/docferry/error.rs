//! Errors that end the `docferry` command, with their texts and exit codes.

use std::io;
use std::path::PathBuf;

use docferry_cli::ClientError;
use docferry_cli::fetch::FetchError;
use miette::Diagnostic;

use crate::exit::Exit;

/// Error that ends the command early.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum CliError {
    #[error("the {name} is missing")]
    #[diagnostic(code(docferry::usage), help("pass {option} or set {variable}"))]
    Missing { name: &'static str, option: &'static str, variable: &'static str },

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

    // This variant has no `From<io::Error>`, which would also convert errors of files to it.
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

    /// Returns the exit code of the command for this error.
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
