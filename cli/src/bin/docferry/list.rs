//! `docferry list`.

use docferry_cli::Client;
use docferry_cli::job::{JobFilter, JobPage, JobSummary};
use docferry_cli::watch::insist;

use crate::args::List;
use crate::exit::{CliError, Exit};
use crate::output;

/// What a page holds at most; the service may have a smaller limit of its own.
const PAGE_SIZE: usize = 100;

pub(crate) async fn run(client: &Client, args: &List, json: bool) -> Result<Exit, CliError> {
    let options = args.patience.options();
    let filter = JobFilter {
        user_id: args.user.clone(),
        status: args.status.map(Into::into),
        page_size: u32::try_from(args.limit.clamp(1, PAGE_SIZE)).ok(),
    };
    let (mut token, mut left) = (None::<String>, args.limit);
    while left > 0 {
        let page = || client.jobs(&filter, token.as_deref());
        let JobPage { items, next_page_token } = insist(&options, page, output::retrying).await?;
        for job in items.iter().take(left) {
            output::result(json, job, &line(job))?;
        }
        left = left.saturating_sub(items.len());
        // The same page again would go on for ever.
        if next_page_token.is_none() || next_page_token == token {
            break;
        }
        token = next_page_token;
    }
    Ok(Exit::Completed)
}

fn line(job: &JobSummary) -> String {
    let asked_for = job.timestamps.queued_at.as_deref().unwrap_or("-");
    let state = job.status.as_str();
    let documents = job.total_file_ids.map_or_else(|| "-".into(), |count| count.to_string());
    let attempts = job.attempts;
    format!("{}  {asked_for}  {state:<20}  documents {documents}  attempts {attempts}", job.job_id)
}
