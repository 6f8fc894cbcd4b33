//! Arguments of the `docferry` command: its options, its subcommands, and their help texts. `clap`
//! shows the doc comments of arguments to users as help texts.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::argument_values::{PriorityName, StateName, WaitOptions};
use crate::connection::Connection;

/// Help text after the options of most subcommands.
const EXIT_CODES: &str = "\
Exit codes:
  0    success; with --watch, every transfer or job was completed
  1    wrong usage, a refused request, an unknown id, or any other error
  2    a transfer or job failed, has expired or, except with cancel, was canceled
  3    the timeout expired while a transfer or job was still running
  4    the service refused the credentials
  5    the service could not be reached or stayed unavailable
  6    a job was completed without some of its documents
  130  interrupted with Ctrl-C
  141  the reader of a pipe closed it
When several apply, the first of 4, 5, 1, 2, 3, 6 counts.";

/// Help text after the options of `cancel`.
fn cancel_help() -> String {
    let explanation = "\
A transfer or job stops at its next step, within about a minute, and its temporary data
is removed. A document that is already complete stays: nothing that was delivered is
deleted. A transfer or job that stops, or that is completed, counts as success.";
    format!("{explanation}\n\n{EXIT_CODES}")
}

/// Help text after the options of `get`.
fn get_help() -> String {
    let explanation = "\
A document is written to a file whose name ends with .part, and renamed when it is
complete. After Ctrl-C or a failed connection that file stays. Run the same command, or
the one that is shown, to resume the download, provided that the document has not changed.";
    format!("{explanation}\n\n{EXIT_CODES}")
}

/// Sends documents from the object store to people's OneDrive, or downloads them.
#[derive(Debug, Parser)]
#[command(name = "docferry", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Print results as JSON, one JSON value per line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) connection: Connection,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send documents to the OneDrive of one person
    #[command(after_help = EXIT_CODES)]
    Send(Send),
    /// Download documents by their numbers
    #[command(after_help = get_help())]
    Get(Get),
    /// Find the documents of a court file or patient, newest first
    ///
    /// Needs the service account, or a token with the scope docferry.read. A person finds only
    /// documents that a role, a claim or a grant shows.
    #[command(after_help = EXIT_CODES)]
    Find(Find),
    /// List jobs, newest first
    #[command(after_help = EXIT_CODES)]
    List(List),
    /// Retry jobs that failed, were canceled or have expired
    #[command(after_help = EXIT_CODES)]
    Retry(Retry),
    /// Cancel transfers or jobs
    #[command(after_help = cancel_help())]
    Cancel(Cancel),
    /// For operators: inspect transfers and restart them
    #[cfg(feature = "admin")]
    #[command(subcommand)]
    Admin(crate::admin::Admin),
    /// For operators: read the audit trail
    #[cfg(feature = "admin")]
    #[command(subcommand)]
    Audit(crate::audit::Audit),
    /// For operators: maintain the document registry
    #[cfg(feature = "admin")]
    #[command(subcommand)]
    Documents(crate::documents::Documents),
    /// For operators: let persons see documents
    #[cfg(feature = "admin")]
    #[command(subcommand)]
    Grants(crate::grants::Grants),
    /// Watch transfers or jobs until all have ended
    #[command(after_help = EXIT_CODES)]
    Watch(Watch),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Send {
    /// GUIDs of the documents in the object store, in base64
    #[arg(required = true, value_name = "OBJ_GUID")]
    pub(crate) obj_guids: Vec<String>,

    /// Email address of the recipient
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: String,

    /// Folder in the recipient's OneDrive [default: the root folder]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) path: Option<String>,

    /// Idempotency key of an earlier request for one document, to repeat that request
    /// without creating a second transfer [default: a new key for each document]
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,

    /// Watch the transfers until they have ended
    #[arg(long)]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Get {
    /// Numbers of the documents, at most 1000. They become one job, in which a document that
    /// fails does not stop the others
    #[arg(required_unless_present = "job", num_args = 1..=1000, value_name = "FILE_ID")]
    pub(crate) file_ids: Vec<u64>,

    /// Download the documents of an existing job instead of creating a job
    #[arg(long, conflicts_with = "file_ids", value_name = "JOB_ID")]
    pub(crate) job: Option<String>,

    /// Target folder, or target file for a single document [default: the current folder]
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,

    /// Replace existing files
    #[arg(long)]
    pub(crate) force: bool,

    /// Keep existing files and count them as downloaded
    #[arg(long, conflicts_with = "force")]
    pub(crate) skip_existing: bool,

    /// Priority of the job
    #[arg(long, default_value = "normal", conflicts_with = "job")]
    pub(crate) priority: PriorityName,

    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Find {
    /// Court file number or other identifier, with its system if that is not the default one
    #[arg(value_name = "[SYSTEM|]VALUE")]
    pub(crate) subject: String,

    /// Maximum number of documents
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub(crate) limit: usize,

    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only jobs of this person; needs the right to list the jobs of others
    #[arg(long, value_name = "USER_ID")]
    pub(crate) user: Option<String>,

    /// Only jobs in this state
    #[arg(long)]
    pub(crate) status: Option<StateName>,

    /// Maximum number of jobs
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub(crate) limit: usize,

    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Retry {
    /// Ids of the jobs, as printed by `get` and `list`
    #[arg(required = true, value_name = "JOB_ID")]
    pub(crate) job_ids: Vec<String>,

    /// Watch the jobs until they have ended
    #[arg(long)]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    /// Ids of the transfers or jobs, as printed by `send` and `get`
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,

    /// Watch them until they have ended
    #[arg(long)]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// Ids of the transfers or jobs, as printed by `send` and `get`
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,

    #[command(flatten)]
    pub(crate) wait: WaitOptions,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_definition_is_valid() {
        Args::command().debug_assert();
    }

    #[test]
    fn debug_output_of_arguments_shows_no_secret() {
        for option in ["--password", "--token", "--client-secret"] {
            let command_line = ["docferry", option, "hunter2", "watch", "t"];
            assert!(!format!("{:?}", Args::parse_from(command_line)).contains("hunter2"));
        }
    }
}
