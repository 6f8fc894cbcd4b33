//! The `docferry list` command, which prints jobs, newest first.

use docferry_cli::Client;
use docferry_cli::job::{JobFilter, JobPage, JobSummary};
use docferry_cli::watch::retry_transient;

use crate::args::List;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Maximum number of jobs per page. The service may have a lower limit.
const PAGE_SIZE: usize = 100;

pub(crate) async fn run(client: &Client, args: &List, json: bool) -> Result<Exit, CliError> {
    let options = args.wait.options();
    let filter = JobFilter {
        user_id: args.user.clone(),
        status: args.status.map(Into::into),
        page_size: u32::try_from(args.limit.clamp(1, PAGE_SIZE)).ok(),
    };
    let mut page_token = None::<String>;
    let mut remaining = args.limit;
    while remaining > 0 {
        let request_page = || client.jobs(&filter, page_token.as_deref());
        let JobPage { items, next_page_token } =
            retry_transient(&options, request_page, output::print_retry).await?;
        for job in items.iter().take(remaining) {
            output::print_result(json, job, &line(job))?;
        }
        remaining = remaining.saturating_sub(items.len());
        // A repeated token would make this loop endless.
        if next_page_token.is_none() || next_page_token == page_token {
            break;
        }
        page_token = next_page_token;
    }
    Ok(Exit::Completed)
}

/// Formats a job as a line for people.
fn line(job: &JobSummary) -> String {
    let queued_at = job.timestamps.queued_at.as_deref().unwrap_or("-");
    let state = job.status.as_str();
    let documents = job.total_file_ids.map_or_else(|| "-".into(), |count| count.to_string());
    let attempts = job.attempts;
    format!("{}  {queued_at}  {state:<20}  documents {documents}  attempts {attempts}", job.job_id)
}
