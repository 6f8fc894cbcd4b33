//! `docferry retry`.

use docferry_cli::watch::insist_while;
use docferry_cli::{Client, ClientError, Problem};
use serde::Serialize;

use crate::args::Retry;
use crate::exit::{CliError, Exit};
use crate::{output, watch};

/// The JSON line of a job that does not run again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotAgain<'a> {
    job_id: &'a str,
    problem: Problem,
}

pub(crate) async fn run(client: &Client, args: &Retry, json: bool) -> Result<Exit, CliError> {
    let options = args.patience.options();
    let mut exit = Exit::Completed;
    let mut running = Vec::new();
    for job_id in &args.job_ids {
        // A repeated call would count as another one, or be refused.
        let may_pass = |error: &ClientError| error.is_surely_not_done() || error.is_not_settled();
        let call = || client.retry_job(job_id);
        match insist_while(may_pass, &options, call, output::retrying).await {
            Ok(accepted) => {
                let attempt =
                    accepted.attempts.map_or_else(String::new, |n| format!(", attempt {n}"));
                output::result(json, &accepted, &format!("{job_id}  runs again{attempt}"))?;
                running.push(job_id.clone());
            }
            Err(error) => {
                exit = exit.max(Exit::from(&error));
                let is_pointless_to_go_on =
                    !matches!(error, ClientError::Rejected { .. } | ClientError::NotFound(_));
                if json {
                    let problem = error.to_problem();
                    output::result(json, &NotAgain { job_id, problem }, "")?;
                }
                // Each try before this one was surely not carried out.
                let is_refused = matches!(error, ClientError::Rejected { .. });
                if error.may_have_been_done() && !is_refused {
                    output::complain(
                        &format!("it is not known whether job {job_id} runs again"),
                        error,
                    )?;
                    output::note(&format!(
                        "look at it before asking again: docferry watch {job_id}"
                    ))?;
                } else {
                    output::complain(&format!("job {job_id} does not run again"), error)?;
                }
                if is_pointless_to_go_on {
                    break;
                }
            }
        }
    }
    if args.watch && !running.is_empty() {
        let watched = watch::run(client, &running, &args.patience, json, watch::deliveries());
        exit = exit.max(watched.await?);
    }
    Ok(exit)
}
