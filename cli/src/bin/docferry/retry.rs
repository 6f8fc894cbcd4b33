//! The `docferry retry` command.

use docferry_cli::watch::retry_while;
use docferry_cli::{Client, ClientError, Problem};
use serde::Serialize;

use crate::args::Retry;
use crate::error::CliError;
use crate::exit::Exit;
use crate::{output, watch};

/// JSON line about a job that was not retried.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RetryFailed<'a> {
    job_id: &'a str,
    problem: Problem,
}

pub(crate) async fn run(client: &Client, args: &Retry, json: bool) -> Result<Exit, CliError> {
    let options = args.wait.options();
    let mut exit = Exit::Completed;
    let mut running = Vec::new();
    for job_id in &args.job_ids {
        // The call is not idempotent: repeating one that took effect would start another run,
        // or be refused. So it is repeated only when it certainly had no effect.
        let is_transient = |error: &ClientError| error.had_no_effect() || error.is_not_cleaned_up();
        let call = || client.retry_job(job_id);
        match retry_while(is_transient, &options, call, output::retrying).await {
            Ok(accepted) => {
                let retry_number =
                    accepted.attempts.map_or_else(String::new, |n| format!(", attempt {n}"));
                output::result(json, &accepted, &format!("{job_id}  retried{retry_number}"))?;
                running.push(job_id.clone());
            }
            Err(error) => {
                exit = exit.max(Exit::from(&error));
                let is_fatal =
                    !matches!(error, ClientError::Rejected { .. } | ClientError::NotFound(_));
                if json {
                    let problem = error.to_problem();
                    output::result(json, &RetryFailed { job_id, problem }, "")?;
                }
                // All earlier tries certainly had no effect.
                let is_refused = matches!(error, ClientError::Rejected { .. });
                if error.may_have_taken_effect() && !is_refused {
                    output::print_error(
                        &format!("it is not known whether job {job_id} was retried"),
                        error,
                    )?;
                    output::note(&format!(
                        "check the job before retrying it again: docferry watch {job_id}"
                    ))?;
                } else {
                    output::print_error(&format!("job {job_id} was not retried"), error)?;
                }
                // The other jobs would fail for the same reason.
                if is_fatal {
                    break;
                }
            }
        }
    }
    if args.watch && !running.is_empty() {
        let watched = watch::run(client, &running, &args.wait, json, watch::deliveries());
        exit = exit.max(watched.await?);
    }
    Ok(exit)
}
