//! The `docferry retry` command, which starts another run of jobs that have ended. Such a retry of
//! a job is not the same as the repetition of a call to the service after a failure.

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
    let mut retried_ids = Vec::new();
    for job_id in &args.job_ids {
        // The call is not idempotent: if it took effect, the same call would start one more run or
        // be refused. Therefore a call is repeated only if it certainly had no effect.
        let should_repeat =
            |error: &ClientError| error.had_no_effect() || error.is_not_cleaned_up();
        let call = || client.retry_job(job_id);
        match retry_while(should_repeat, &options, call, output::print_retry).await {
            Ok(accepted) => {
                let attempt_note = accepted
                    .attempts
                    .map_or_else(String::new, |number| format!(", attempt {number}"));
                output::print_result(json, &accepted, &format!("{job_id}  retried{attempt_note}"))?;
                retried_ids.push(job_id.clone());
            }
            Err(error) => {
                exit = exit.max(Exit::from(&error));
                let is_fatal =
                    !matches!(error, ClientError::Rejected { .. } | ClientError::NotFound(_));
                if json {
                    let problem = error.to_problem();
                    output::print_json(&RetryFailed { job_id, problem })?;
                }
                // All earlier calls certainly had no effect, so after a refusal the job was not
                // retried.
                let is_refused = matches!(error, ClientError::Rejected { .. });
                if error.may_have_taken_effect() && !is_refused {
                    output::print_error(
                        &format!("it is not known whether job {job_id} was retried"),
                        error,
                    )?;
                    output::print_note(&format!(
                        "check the job before retrying it again: docferry watch {job_id}"
                    ))?;
                } else {
                    output::print_error(&format!("job {job_id} was not retried"), error)?;
                }
                // The call for the next job would fail for the same reason.
                if is_fatal {
                    break;
                }
            }
        }
    }
    if args.watch && !retried_ids.is_empty() {
        let watched =
            watch::run(client, &retried_ids, &args.wait, json, watch::delivery_exit_rules());
        exit = exit.max(watched.await?);
    }
    Ok(exit)
}
