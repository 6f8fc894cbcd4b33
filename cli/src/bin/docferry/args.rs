//! The command line.

use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args as Group, Parser, Subcommand};
use docferry_cli::watch::Options;
use secrecy::SecretString;

use crate::exit::CliError;

const EXIT_CODES: &str = "\
Exit codes:
  0  all went well: with watching, every transfer is completed
  1  wrong usage, a refused request, an unknown transfer, or any other error
  2  a transfer failed
  3  time was up while a transfer was still running
  4  the service refused the credentials
  5  the service could not be reached or stayed unavailable
When several apply, the first of 4, 5, 1, 2, 3 counts.";

/// What `cancel` does, and what its exit codes mean.
fn cancel_help() -> String {
    let what = "\
A transfer stops at its next step, within a minute or so, and what it left on the
way is removed. A document that is complete by then stays: nothing that was
delivered is deleted. A transfer that stops, or that is completed, counts as gone
well.";
    format!("{what}\n\n{EXIT_CODES}")
}

/// Sends documents from the object store to people's OneDrive.
#[derive(Debug, Parser)]
#[command(name = "docferry", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Print results as JSON, one document a line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) connection: Connection,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Address of the API, with its stage
    #[arg(long, global = true, env = "DOCFERRY_API", value_name = "URL")]
    api: Option<String>,

    /// Name of the service account
    #[arg(long, global = true, env = "DOCFERRY_USERNAME", value_name = "NAME")]
    username: Option<String>,

    /// Password of the service account; others on this machine can see it, so
    /// prefer the variable or --password-file
    #[arg(
        long, global = true, env = "DOCFERRY_PASSWORD", hide_env_values = true,
        value_name = "PASSWORD", value_parser = secret
    )]
    password: Option<SecretString>,

    /// Read the password from the first line of a file, `-` for standard input;
    /// goes before --password
    #[arg(long, global = true, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask for documents to be carried to one person
    #[command(after_help = EXIT_CODES)]
    Send(Send),
    /// Ask transfers to stop
    #[command(after_help = cancel_help())]
    Cancel(Cancel),
    /// For operators: look at transfers from inside, and carry them on
    #[cfg(feature = "admin")]
    #[command(subcommand)]
    Admin(crate::admin::Admin),
    /// For operators: say which document has which number
    #[cfg(feature = "admin")]
    #[command(subcommand)]
    Documents(crate::documents::Documents),
    /// Follow transfers until all have ended
    #[command(after_help = EXIT_CODES)]
    Watch(Watch),
}

#[derive(Debug, Group)]
pub(crate) struct Send {
    /// GUIDs of the documents in the object store, in base64
    #[arg(required = true, value_name = "OBJ_GUID")]
    pub(crate) obj_guids: Vec<String>,

    /// Address of the recipient
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: String,

    /// Folder in the recipient's OneDrive; without it, the root
    #[arg(long, value_name = "FOLDER")]
    pub(crate) path: Option<String>,

    /// Follow the transfers to their end
    #[arg(long)]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Group)]
pub(crate) struct Cancel {
    /// Transfers to stop, as `send` printed them
    #[arg(required = true, value_name = "TRANSFER_ID")]
    pub(crate) transfer_ids: Vec<String>,

    /// Follow the transfers to their end
    #[arg(long)]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Group)]
pub(crate) struct Watch {
    /// Transfers to follow, as `send` printed them
    #[arg(required = true, value_name = "TRANSFER_ID")]
    pub(crate) transfer_ids: Vec<String>,

    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Group)]
pub(crate) struct Patience {
    /// How long to wait for all transfers to end
    #[arg(long, value_name = "SECONDS", default_value_t = 14_400)]
    timeout: u64,

    /// How often to ask again after a failure that may pass
    #[arg(long, value_name = "TIMES", default_value_t = 6)]
    retries: usize,
}

impl Patience {
    pub(crate) fn options(&self) -> Options {
        Options { timeout: Duration::from_secs(self.timeout), retries: self.retries }
    }
}

impl Connection {
    pub(crate) fn api(&self) -> Result<&str, CliError> {
        self.api.as_deref().ok_or(CliError::Missing {
            what: "API address",
            option: "--api",
            variable: "DOCFERRY_API",
        })
    }

    pub(crate) fn username(&self) -> Result<String, CliError> {
        self.username.clone().ok_or(CliError::Missing {
            what: "user name",
            option: "--username",
            variable: "DOCFERRY_USERNAME",
        })
    }

    pub(crate) fn password(&self) -> Result<SecretString, CliError> {
        if let Some(path) = &self.password_file {
            return read_password(path);
        }
        self.password.clone().ok_or(CliError::Missing {
            what: "password",
            option: "--password-file",
            variable: "DOCFERRY_PASSWORD",
        })
    }
}

fn read_password(path: &Path) -> Result<SecretString, CliError> {
    let first_line = if path == Path::new("-") {
        stdin().lock().lines().next().transpose()
    } else {
        std::fs::read_to_string(path).map(|text| text.lines().next().map(str::to_owned))
    };
    match first_line {
        Ok(Some(line)) if !line.is_empty() => Ok(line.into()),
        Ok(_) => Err(CliError::EmptyPassword { path: path.to_owned() }),
        Err(source) => Err(CliError::PasswordFile { path: path.to_owned(), source }),
    }
}

// A parser that cannot fail: clap quotes refused values.
fn secret(value: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(value.into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_password_is_in_no_debug_output() {
        let line = ["docferry", "--password", "hunter2", "watch", "t"];
        assert!(!format!("{:?}", Args::parse_from(line)).contains("hunter2"));
    }
}
