//! `docferry watch`.

use std::cell::RefCell;
use std::io::{IsTerminal, stderr};
use std::rc::Rc;

use docferry_cli::display::{Lines, bar};
use docferry_cli::watch::{Observer, Outcome, watch_all};
use docferry_cli::{Client, ClientError, TransferStatus};
use indicatif::MultiProgress;

use crate::args::Patience;
use crate::exit::{CliError, Exit};
use crate::output;

/// The JSON line of a transfer that could not be watched to any end.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct NotWatched<'a> {
    transfer_id: &'a str,
    problem: docferry_cli::Problem,
}

/// Follows transfers and reports each; `judge` says what an end means for the
/// command's own.
pub(crate) async fn run(
    client: &Client,
    transfer_ids: &[String],
    patience: &Patience,
    json: bool,
    judge: impl Fn(&Outcome) -> Exit,
) -> Result<Exit, CliError> {
    let options = patience.options();
    // Bars and lines go to standard error, so that results can be piped.
    let results = if stderr().is_terminal() {
        let bars = MultiProgress::new();
        let watched = each(transfer_ids, |id| bar(&bars, id, None));
        watch_all(client, &watched, &options).await
    } else {
        let out = Rc::new(RefCell::new(stderr()));
        let watched = each(transfer_ids, |id| Lines::new(Rc::clone(&out), id, None));
        watch_all(client, &watched, &options).await
    };
    let mut exit = Exit::Completed;
    for (transfer_id, result) in transfer_ids.iter().zip(results) {
        exit = exit.max(match &result {
            Ok(outcome) => judge(outcome),
            Err(error) => error.into(),
        });
        report(transfer_id, result, json)?;
    }
    Ok(exit)
}

fn each<O: Observer>(ids: &[String], observer: impl Fn(&str) -> O) -> Vec<(String, O)> {
    ids.iter().map(|id| (id.clone(), observer(id))).collect()
}

fn report(
    transfer_id: &str,
    result: Result<Outcome, ClientError>,
    json: bool,
) -> Result<(), CliError> {
    match result {
        Ok(outcome) => {
            let word = match &outcome {
                Outcome::Completed(_) => "completed".to_owned(),
                Outcome::Failed(status) if status.was_terminated() => {
                    "stopped on request".to_owned()
                }
                Outcome::Failed(status) => format!("failed  {}", status.failure_message()),
                Outcome::TimedOut(_) => "still running".to_owned(),
            };
            match outcome.status() {
                Some(status) => output::result(json, status, &line(status, &word))?,
                None if json => {}
                None => output::result(json, &(), &format!("{transfer_id}  no answer"))?,
            }
        }
        Err(error) => {
            if json {
                let problem = error.to_problem();
                output::result(json, &NotWatched { transfer_id, problem }, "")?;
            }
            output::complain(&format!("transfer {transfer_id} cannot be watched"), error)?;
        }
    }
    Ok(())
}

fn line(status: &TransferStatus, word: &str) -> String {
    let name = status.file_name.as_deref().unwrap_or("(name unknown)");
    format!("{}  {name}  {} bytes  {word}", status.transfer_id, status.file_size)
}
