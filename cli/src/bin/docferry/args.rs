//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use docferry_cli::job::{JobState, Priority};
use docferry_cli::watch::Options;

use crate::connection::Connection;

const EXIT_CODES: &str = "\
Exit codes:
  0    all went well: with watching, every transfer or job is completed
  1    wrong usage, a refused request, an unknown id, or any other error
  2    a transfer or job failed
  3    time was up while one was still running
  4    the service refused the credentials
  5    the service could not be reached or stayed unavailable
  6    a job is completed, but without some of its documents
  130  Ctrl-C
  141  the reader of a pipe closed it
When several apply, the first of 4, 5, 1, 2, 3, 6 counts.";

/// What `cancel` does, and what its exit codes mean.
fn cancel_help() -> String {
    let what = "\
A transfer or job stops at its next step, within a minute or so, and what it left on
the way is removed. A document that is complete by then stays: nothing that was
delivered is deleted. One that stops, or that is completed, counts as gone well.";
    format!("{what}\n\n{EXIT_CODES}")
}

/// What `get` does beside asking and fetching.
fn get_help() -> String {
    let what = "\
A document is written beside its place under a name that ends with .part, and moved
there when it is whole. Ctrl-C leaves the part, and so does a connection that breaks:
the same command, or the one that is shown, goes on where it stopped, as long as the
document is the same.";
    format!("{what}\n\n{EXIT_CODES}")
}

/// Sends documents from the object store to people's OneDrive, or fetches them.
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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask for documents to be carried to one person
    #[command(after_help = EXIT_CODES)]
    Send(Send),
    /// Ask for documents by their numbers, and fetch them
    #[command(after_help = get_help())]
    Get(Get),
    /// Show jobs, the newest first
    #[command(after_help = EXIT_CODES)]
    List(List),
    /// Let jobs that failed, were canceled or have expired run again
    #[command(after_help = EXIT_CODES)]
    Retry(Retry),
    /// Ask transfers or jobs to stop
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
    /// Follow transfers or jobs until all have ended
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

    /// Repeat an earlier request of one document, of which it is not known whether it
    /// was accepted: it makes no second transfer. Without it, each document has a new key
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,

    /// Follow the transfers to their end
    #[arg(long)]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Group)]
pub(crate) struct Get {
    /// Numbers of the documents, at most 1000; they make one job, and those that cannot
    /// be had do not stop the others
    #[arg(required_unless_present = "job", num_args = 1..=1000, value_name = "FILE_ID")]
    pub(crate) file_ids: Vec<u64>,

    /// Fetch what a job has delivered, or is about to, instead of asking for documents
    #[arg(long, conflicts_with = "file_ids", value_name = "JOB_ID")]
    pub(crate) job: Option<String>,

    /// Where to: a folder, or of one document a file; without it, the current folder
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,

    /// Replace a file of that name
    #[arg(long)]
    pub(crate) force: bool,

    /// Leave a file of that name alone, and count it as fetched
    #[arg(long, conflicts_with = "force")]
    pub(crate) skip_existing: bool,

    /// How urgent it is
    #[arg(long, default_value = "normal", conflicts_with = "job")]
    pub(crate) priority: PriorityName,

    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Group)]
pub(crate) struct List {
    /// Of this person, for who may ask for others
    #[arg(long, value_name = "USER_ID")]
    pub(crate) user: Option<String>,

    /// Those that stand so
    #[arg(long)]
    pub(crate) status: Option<StateName>,

    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub(crate) limit: usize,

    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Group)]
pub(crate) struct Retry {
    /// Jobs to run again, as `get` and `list` printed them
    #[arg(required = true, value_name = "JOB_ID")]
    pub(crate) job_ids: Vec<String>,

    /// Follow the jobs to their end
    #[arg(long)]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) patience: Patience,
}

/// [`Priority`], as it is written.
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

/// [`JobState`], as it is written.
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

#[derive(Debug, Group)]
pub(crate) struct Cancel {
    /// Transfers or jobs to stop, as `send` and `get` printed them
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,

    /// Follow them to their end
    #[arg(long)]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Group)]
pub(crate) struct Watch {
    /// Transfers or jobs to follow, as `send` and `get` printed them
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,

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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn no_secret_is_in_debug_output() {
        for option in ["--password", "--token", "--client-secret"] {
            let line = ["docferry", option, "hunter2", "watch", "t"];
            assert!(!format!("{:?}", Args::parse_from(line)).contains("hunter2"));
        }
    }
}
