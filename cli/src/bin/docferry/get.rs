//! `docferry get`.

use std::fs;
use std::path::{Path, PathBuf};

use docferry_cli::fetch::{Existing, FetchError, Fetched, Names, Wanted, fetch};
use docferry_cli::job::{JobItem, JobState, JobStatus, NewJob};
use docferry_cli::watch::{Outcome, insist_while, watch_job};
use docferry_cli::{Client, ClientError, Problem};
use serde::Serialize;

use crate::args::Get;
use crate::exit::{CliError, Exit};
use crate::output;
use crate::watch::Screen;

/// The JSON line of a document that is in its place.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Got<'a> {
    job_id: &'a str,
    #[serde(rename = "file_id")]
    file_id: Option<u64>,
    path: &'a Path,
    size: u64,
    skipped: bool,
}

/// The JSON line of one that is not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotGot<'a> {
    job_id: &'a str,
    #[serde(rename = "file_id")]
    file_id: Option<u64>,
    problem: Problem,
}

/// Where documents go.
struct Place {
    folder: PathBuf,
    /// Of one document.
    name: Option<String>,
}

pub(crate) async fn run(client: &Client, args: &Get, json: bool) -> Result<Exit, CliError> {
    let place = place(args)?;
    let mut job_id = args.job.clone();
    let work = work(client, args, &place, &mut job_id, json);
    tokio::select! {
        result = work => return result,
        interrupt = tokio::signal::ctrl_c() => interrupt?,
    }
    // Whatever was being written stays as it is, for this:
    let go_on = job_id.map(|id| format!("; go on with:\n  {}", again(&id, args)));
    output::note(&format!("\nstopped{}", go_on.unwrap_or_default()))?;
    Ok(Exit::Interrupted)
}

async fn work(
    client: &Client,
    args: &Get,
    place: &Place,
    job_id: &mut Option<String>,
    json: bool,
) -> Result<Exit, CliError> {
    let id = match job_id {
        Some(id) => id.clone(),
        None => {
            let id = ask(client, args).await?;
            output::note(&format!("job {id}"))?;
            job_id.insert(id).clone()
        }
    };
    let options = args.patience.options();
    let screen = Screen::new();
    let ended = watch_job(client, &id, &options, &*screen.observer(&id, None)).await?;
    let mut exit = Exit::of(&ended);
    let Some(status) = ended.status() else {
        output::complain(&format!("job {id}"), FetchError::NotReady)?;
        return Ok(exit);
    };
    if matches!(ended, Outcome::TimedOut(_)) {
        output::complain(&format!("job {id}"), FetchError::NotReady)?;
        return Ok(exit);
    }
    if place.name.is_some() && status.items.len() > 1 {
        return Err(CliError::ManyForOneFile);
    }
    if status.items.is_empty() {
        exit = exit.max(Exit::Failed);
        output::complain(&format!("job {id}"), failed(status, None))?;
    }
    let mut run = Run { client, args, place, names: Names::default(), screen: &screen, json };
    for item in &status.items {
        exit = exit.max(run.document(status, item).await?);
    }
    Ok(exit)
}

/// Asks for the documents. A key of its own makes the call one that may be repeated.
async fn ask(client: &Client, args: &Get) -> Result<String, ClientError> {
    let job = NewJob::new(&args.file_ids, args.priority.into());
    let key = uuid::Uuid::new_v4().to_string();
    let may_pass = |error: &ClientError| {
        // 409: the first call of this key is still being recorded.
        error.is_transient() || matches!(error, ClientError::Rejected { status: 409, .. })
    };
    let options = args.patience.options();
    let asked = insist_while(may_pass, &options, || client.initiate(&job, &key), |_, _| {}).await?;
    Ok(asked.job_id)
}

/// What the documents of one run share.
struct Run<'a> {
    client: &'a Client,
    args: &'a Get,
    place: &'a Place,
    names: Names,
    screen: &'a Screen,
    json: bool,
}

impl Run<'_> {
    /// Fetches one, or tells why not.
    async fn document(&mut self, status: &JobStatus, item: &JobItem) -> Result<Exit, CliError> {
        let job_id = item.job_id.as_deref().unwrap_or(&status.job_id);
        let about = item.file_id.map_or_else(|| job_id.to_owned(), |id| format!("document {id}"));
        let result = if item.status == JobState::Completed {
            let wanted = Wanted {
                job_id: job_id.to_owned(),
                size: item.bytes_total,
                fallback_name: about.replace(' ', "-"),
                folder: self.place.folder.clone(),
                name: self.place.name.clone(),
                existing: existing(self.args),
            };
            let observer = self.screen.observer(&about, None);
            fetch(self.client, &wanted, &mut self.names, &self.args.patience.options(), &*observer)
                .await
        } else {
            Err(failed(status, Some(item)))
        };
        let file_id = item.file_id;
        match result {
            Ok(Fetched { path, size, skipped }) => {
                let was = if skipped { "  (was there)" } else { "" };
                let line = format!("{}  {size} bytes{was}", path.display());
                output::result(
                    self.json,
                    &Got { job_id, file_id, path: &path, size, skipped },
                    &line,
                )?;
                Ok(Exit::Completed)
            }
            Err(error) => {
                let exit = Exit::from(&error);
                if self.json {
                    let problem = match &error {
                        FetchError::Client(error) => error.to_problem(),
                        error => Problem { detail: Some(error.to_string()), ..Problem::default() },
                    };
                    output::result(self.json, &NotGot { job_id, file_id, problem }, "")?;
                }
                output::complain(&format!("{about} was not fetched"), error)?;
                Ok(exit)
            }
        }
    }
}

/// Why a document cannot be fetched: its own reason, or else its job's.
fn failed(status: &JobStatus, item: Option<&JobItem>) -> FetchError {
    let state = item.map_or(status.status, |item| item.status);
    let error = item.and_then(|item| item.error.as_ref()).or(status.error.as_ref());
    let reason = match error {
        Some(error) => format!("{}: {} [{}]", state.as_str(), error.message, error.code),
        None => state.as_str().to_owned(),
    };
    FetchError::NothingThere { reason }
}

fn existing(args: &Get) -> Existing {
    match (args.force, args.skip_existing) {
        (true, _) => Existing::Replace,
        (_, true) => Existing::Skip,
        _ => Existing::Refuse,
    }
}

/// A folder that is there, or is written with a slash at its end, or is for many, is a
/// folder; anything else is the file's own name.
fn place(args: &Get) -> Result<Place, CliError> {
    let Some(output) = &args.output else {
        return Ok(Place { folder: PathBuf::from("."), name: None });
    };
    let is_folder = output.is_dir()
        || args.file_ids.len() > 1
        || output.as_os_str().to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]);
    let name = output.file_name().filter(|_| !is_folder).map(|name| name.to_string_lossy().into());
    let folder = match (&name, output.parent()) {
        (Some(_), Some(parent)) if !parent.as_os_str().is_empty() => parent.to_owned(),
        (Some(_), _) => PathBuf::from("."),
        (None, _) => output.clone(),
    };
    if let Err(source) = fs::create_dir_all(&folder) {
        return Err(FetchError::File { path: folder, source }.into());
    }
    // Before anything is asked for: afterwards it would be for nothing.
    if name.is_some() && existing(args) == Existing::Refuse && output.symlink_metadata().is_ok() {
        return Err(FetchError::Exists { path: output.clone() }.into());
    }
    Ok(Place { folder, name })
}

/// The command that goes on where this one stopped.
fn again(job_id: &str, args: &Get) -> String {
    let mut words = vec!["docferry get --job".to_owned(), job_id.to_owned()];
    if let Some(output) = &args.output {
        words.extend(["--output".to_owned(), quoted(&output.to_string_lossy())]);
    }
    // Of many, those that are there already need not come again.
    let more = if args.force { "--force" } else { "--skip-existing" };
    words.push(more.to_owned());
    words.join(" ")
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_a_shell_reads_it() {
        assert_eq!(quoted("a/b-c_1.pdf"), "a/b-c_1.pdf");
        assert_eq!(quoted("it's $HOME"), "'it'\\''s $HOME'");
    }
}
