//! `docferry cancel`.

use docferry_cli::job::JobStatus;
use docferry_cli::watch::{Options, Outcome, insist};
use docferry_cli::{Client, ClientError, Problem, TransferState, Watched};
use serde::Serialize;

use crate::args::Cancel;
use crate::exit::{CliError, Exit};
use crate::watch::Judge;
use crate::{output, watch};

/// The JSON line of what was asked to stop.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    #[serde(flatten)]
    id: Id<'a>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// The JSON line of that of which nothing is known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Unknown<'a> {
    #[serde(flatten)]
    id: Id<'a>,
    problem: Problem,
}

/// What an id stands for.
#[derive(Debug, Clone, Copy, Serialize)]
enum Id<'a> {
    #[serde(rename = "transferId")]
    Transfer(&'a str),
    #[serde(rename = "jobId")]
    Job(&'a str),
}

impl<'a> Id<'a> {
    fn as_str(self) -> &'a str {
        match self {
            Self::Transfer(id) | Self::Job(id) => id,
        }
    }
}

/// How it stands, whichever it is.
struct Standing {
    state: TransferState,
    was_stopped: bool,
    message: Option<String>,
    failure: String,
}

pub(crate) async fn run(client: &Client, args: &Cancel, json: bool) -> Result<Exit, CliError> {
    let options = args.patience.options();
    let mut ids = Vec::with_capacity(args.ids.len());
    for id in &args.ids {
        let is_job = match insist(&options, || client.is_job(id), output::retrying).await {
            Ok(is_job) => is_job,
            Err(error) => {
                output::note("nothing was asked to stop")?;
                return Err(error.into());
            }
        };
        ids.push(if is_job { Id::Job(id) } else { Id::Transfer(id) });
    }
    let mut exit = Exit::Completed;
    let mut running = Vec::new();
    let unheard = ask(client, &ids, &options).await;
    for Unheard { ids: of, error } in unheard {
        exit = exit.max(Exit::from(&error));
        let may_be = error.may_have_been_done();
        for id in &of {
            if json {
                let problem = error.to_problem();
                output::result(json, &Unknown { id: *id, problem }, "")?;
            }
            let id = id.as_str();
            output::note(&if may_be {
                format!("it is not known whether {id} was asked to stop; asking again is harmless")
            } else {
                format!("{id} was not asked to stop")
            })?;
        }
        ids.retain(|id| !of.iter().any(|it| it.as_str() == id.as_str()));
        output::complain("the call that asks to stop failed", error)?;
    }
    for &id in &ids {
        match standing(client, id, &options).await {
            Ok(standing) => {
                exit = exit.max(report(id, &standing, json)?);
                if standing.state == TransferState::Running {
                    running.push(id.as_str().to_owned());
                }
            }
            Err(error) => {
                exit = exit.max(Exit::from(&error));
                if json {
                    let problem = error.to_problem();
                    output::result(json, &Unknown { id, problem }, "")?;
                }
                let about = format!("what became of {} is not known", id.as_str());
                output::complain(&about, error)?;
            }
        }
    }
    if args.watch && !running.is_empty() {
        let judge = Judge { transfer: judge, job: judge::<JobStatus> };
        exit = exit.max(watch::run(client, &running, &args.patience, json, judge).await?);
    }
    Ok(exit)
}

/// A call that asks to stop and has failed.
struct Unheard<'a> {
    ids: Vec<Id<'a>>,
    error: ClientError,
}

/// Asks each to stop. Asking again is harmless, so a lost answer is no reason to give up;
/// returns the calls that failed all the same.
async fn ask<'a>(client: &Client, ids: &[Id<'a>], options: &Options) -> Vec<Unheard<'a>> {
    let mut unheard = Vec::new();
    let transfers = ids.iter().filter_map(|id| match id {
        Id::Transfer(id) => Some((*id).to_owned()),
        Id::Job(_) => None,
    });
    let transfers: Vec<_> = transfers.collect();
    if !transfers.is_empty()
        && let Err(error) = insist(options, || client.terminate(&transfers), output::retrying).await
    {
        let of = ids.iter().filter(|id| matches!(id, Id::Transfer(_)));
        unheard.push(Unheard { ids: of.copied().collect(), error });
    }
    for id in ids {
        let Id::Job(job_id) = id else { continue };
        match insist(options, || client.cancel_job(job_id), output::retrying).await {
            // It had ended: its status says how.
            Ok(()) | Err(ClientError::Rejected { status: 409, .. }) => {}
            Err(error) => unheard.push(Unheard { ids: vec![*id], error }),
        }
    }
    unheard
}

/// The calls that ask to stop pass over what has ended, so the status of each tells what
/// the wish can still do.
async fn standing(client: &Client, id: Id<'_>, options: &Options) -> Result<Standing, ClientError> {
    Ok(match id {
        Id::Transfer(id) => {
            let status = insist(options, || client.status(id), output::retrying).await?;
            let message = status.last_error_message.clone();
            Standing { message, ..of(&status) }
        }
        Id::Job(id) => {
            let status = insist(options, || client.poll_job(id), output::retrying).await?.status;
            let message = status.error.as_ref().map(|error| error.message.clone());
            Standing { message, ..of(&status) }
        }
    })
}

fn of(status: &impl Watched) -> Standing {
    Standing {
        state: status.state(),
        was_stopped: status.was_stopped(),
        message: None,
        failure: status.failure(),
    }
}

fn report(id: Id<'_>, standing: &Standing, json: bool) -> Result<Exit, CliError> {
    let (exit, outcome, words) = match standing.state {
        TransferState::Running => (
            Exit::Completed,
            "asked",
            "asked to stop; a document that is complete by then stays".to_owned(),
        ),
        TransferState::Completed => {
            (Exit::Completed, "completed", "is completed: the document stays".to_owned())
        }
        TransferState::Failed if standing.was_stopped => {
            (Exit::Completed, "stopped", "has stopped on request".to_owned())
        }
        TransferState::Failed => {
            (Exit::Failed, "failed", format!("had failed  {}", standing.failure))
        }
    };
    let message = standing.message.clone();
    let line = format!("{}  {words}", id.as_str());
    output::result(json, &Asked { id, outcome, message }, &line)?;
    Ok(exit)
}

/// What the end of a transfer or job means for who wanted it to stop.
fn judge<S: Watched>(outcome: &Outcome<S>) -> Exit {
    match outcome {
        Outcome::Failed(status) if status.was_stopped() => Exit::Completed,
        _ => Exit::of(outcome),
    }
}
