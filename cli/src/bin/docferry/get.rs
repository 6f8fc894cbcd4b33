//! `docferry get`.

use std::fs;
use std::path::{Path, PathBuf};

use docferry_cli::fetch::{Existing, FetchError, Fetched, Names, Wanted, fetch, kept_name};
use docferry_cli::job::{JobItem, JobState, JobStatus, NewJob};
use docferry_cli::watch::{Outcome, insist_while, watch_job};
use docferry_cli::{Client, ClientError, Problem};
use serde::Serialize;

use crate::args::Get;
use crate::exit::{CliError, Exit};
use crate::output;
use crate::shell::quoted;
use crate::watch::Screen;

/// Documents whose names are asked for before a job begins, one call each.
const MOST_CHECKED: usize = 20;

/// The JSON line of a document that is in its place.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Got<'a> {
    job_id: Option<&'a str>,
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
    job_id: Option<&'a str>,
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
        interrupt = tokio::signal::ctrl_c() => interrupt.map_err(CliError::Signal)?,
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
    let mut there = Exit::Completed;
    let id = match job_id {
        Some(id) => id.clone(),
        None => {
            let Some(wanted) = before_asking(client, args, place, &mut there, json).await? else {
                return Ok(there);
            };
            let id = ask(client, args, &wanted).await?;
            output::note(&format!("job {id}"))?;
            job_id.insert(id).clone()
        }
    };
    let options = args.patience.options();
    let screen = Screen::new();
    let ended = watch_job(client, &id, &options, &*screen.observer(&id, None)).await?;
    let mut exit = there.max(Exit::of(&ended));
    let (Outcome::Completed(status) | Outcome::Failed(status)) = &ended else {
        not_got(json, Some(&id), None, &format!("job {id}"), FetchError::NotReady)?;
        return Ok(exit);
    };
    if place.name.is_some() && status.items.len() > 1 {
        return Err(CliError::ManyForOneFile);
    }
    if status.items.is_empty() {
        exit = exit.max(Exit::Failed);
        not_got(json, Some(&id), None, &format!("job {id}"), failed(status, None))?;
    }
    let mut run = Run { client, args, place, names: Names::default(), screen: &screen, json };
    for item in &status.items {
        exit = exit.max(run.document(status, item).await?);
    }
    Ok(exit)
}

/// The documents whose files are not there yet, as far as that can be known before a job
/// has begun: by the name that was given, or by those in the index of documents. `None`
/// when no job is needed.
async fn before_asking(
    client: &Client,
    args: &Get,
    place: &Place,
    exit: &mut Exit,
    json: bool,
) -> Result<Option<Vec<u64>>, CliError> {
    if let (Some(name), Existing::Skip) = (&place.name, existing(args)) {
        let path = place.folder.join(name);
        let Ok(there) = path.symlink_metadata() else { return Ok(Some(args.file_ids.clone())) };
        let file_id = args.file_ids.first().copied();
        got(json, None, file_id, &Fetched { path, size: there.len(), skipped: true })?;
        return Ok(None);
    }
    // An empty folder holds no file of any name; of many documents the names are not asked for.
    let is_empty = fs::read_dir(&place.folder).is_ok_and(|mut files| files.next().is_none());
    let is_asked = place.name.is_none() && existing(args) == Existing::Refuse && !is_empty;
    if !is_asked || args.file_ids.len() > MOST_CHECKED {
        return Ok(Some(args.file_ids.clone()));
    }
    let mut wanted = Vec::new();
    for &file_id in &args.file_ids {
        // Whether it can be had is the job's to say.
        let name = client.document_name(file_id).await.ok().flatten();
        let path = name.map(|name| place.folder.join(kept_name(&name)));
        match path.filter(|path| path.symlink_metadata().is_ok()) {
            None => wanted.push(file_id),
            Some(path) => {
                let error = FetchError::Exists { path };
                *exit = (*exit).max(Exit::from(&error));
                not_got(json, None, Some(file_id), &not_fetched(file_id), error)?;
            }
        }
    }
    Ok(Some(wanted).filter(|wanted| !wanted.is_empty()))
}

fn not_fetched(file_id: u64) -> String {
    format!("document {file_id} was not fetched")
}

/// Asks for the documents. A key of its own makes the call one that may be repeated.
async fn ask(client: &Client, args: &Get, file_ids: &[u64]) -> Result<String, CliError> {
    let job = NewJob::new(file_ids, args.priority.into());
    let key = uuid::Uuid::new_v4().to_string();
    let may_pass = |error: &ClientError| {
        // 409: the first call of this key is still being recorded.
        error.is_transient() || matches!(error, ClientError::Rejected { status: 409, .. })
    };
    let options = args.patience.options();
    let call = || client.initiate(&job, &key);
    match insist_while(may_pass, &options, call, |_, _| {}).await {
        Ok(asked) => Ok(asked.job_id),
        Err(error) => {
            if error.may_have_been_done() {
                let advice = "a job may have begun all the same: docferry list shows it, and \
                              docferry get --job fetches what it delivers";
                output::note(advice)?;
            }
            Err(error.into())
        }
    }
}

/// Reports a document that is in its place.
fn got(
    json: bool,
    job_id: Option<&str>,
    file_id: Option<u64>,
    fetched: &Fetched,
) -> Result<(), CliError> {
    let Fetched { path, size, skipped } = fetched;
    let was = if *skipped { "  (was there)" } else { "" };
    let line = format!("{}  {size} bytes{was}", path.display());
    let document = Got { job_id, file_id, path, size: *size, skipped: *skipped };
    output::result(json, &document, &line)
}

/// Reports a document or job of which nothing is in its place.
fn not_got(
    json: bool,
    job_id: Option<&str>,
    file_id: Option<u64>,
    about: &str,
    error: FetchError,
) -> Result<(), CliError> {
    if json {
        let problem = match &error {
            FetchError::Client(error) => error.to_problem(),
            error => Problem { detail: Some(error.to_string()), ..Problem::default() },
        };
        output::result(json, &NotGot { job_id, file_id, problem }, "")?;
    }
    output::complain(about, error)
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
            Ok(fetched) => {
                got(self.json, Some(job_id), file_id, &fetched)?;
                Ok(Exit::Completed)
            }
            Err(error) => {
                let exit = Exit::from(&error);
                let about = format!("{about} was not fetched");
                not_got(self.json, Some(job_id), file_id, &about, error)?;
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
