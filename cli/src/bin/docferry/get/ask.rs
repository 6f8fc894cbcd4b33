//! The request for documents, and the look at the folder before it.

use std::fs;

use docferry_cli::fetch::{Existing, FetchError, Fetched, kept_name};
use docferry_cli::job::NewJob;
use docferry_cli::watch::insist_while;
use docferry_cli::{Client, ClientError};

use super::place::{Place, existing};
use super::report::{got, not_got};
use crate::args::Get;
use crate::exit::{CliError, Exit};
use crate::output;

/// Documents whose names are asked for before a job begins, one call each.
const MOST_CHECKED: usize = 20;

/// The documents whose files are not there yet, as far as that can be known before a job
/// has begun: by the name that was given, or by those in the index of documents. `None`
/// when no job is needed.
pub(super) async fn before_asking(
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
pub(super) async fn ask(client: &Client, args: &Get, file_ids: &[u64]) -> Result<String, CliError> {
    let job = NewJob::new(file_ids, args.priority.into());
    let key = uuid::Uuid::new_v4().to_string();
    let may_pass = |error: &ClientError| {
        // 409: the first call of this key is still being recorded.
        error.is_transient() || matches!(error, ClientError::Rejected { status: 409, .. })
    };
    let options = args.patience.options();
    let call = || client.initiate(&job, &key);
    match insist_while(may_pass, &options, call, output::retrying).await {
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
