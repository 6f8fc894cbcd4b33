//! The `docferry find` command, which prints the documents of a subject (a court file or patient),
//! newest first.

use docferry_cli::Client;
use docferry_cli::display::make_printable;
use docferry_cli::documents::{DocumentPage, FoundDocument};
use docferry_cli::watch::retry_transient;

use crate::args::Find;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Maximum number of documents per page that the service allows.
const MAX_PAGE_SIZE: usize = 1000;

pub(crate) async fn run(client: &Client, args: &Find, json: bool) -> Result<Exit, CliError> {
    let options = args.wait.options();
    let page_size = args.limit.clamp(1, MAX_PAGE_SIZE);
    let mut page_token = None::<String>;
    let mut remaining = args.limit;
    while remaining > 0 {
        let request_page = || client.documents(&args.subject, page_size, page_token.as_deref());
        let DocumentPage { documents, next_page_token } =
            retry_transient(&options, request_page, output::print_retry).await?;
        for document in documents.iter().take(remaining) {
            output::print_result(json, document, &line(document))?;
        }
        remaining = remaining.saturating_sub(documents.len());
        // A repeated token would make this loop endless.
        if next_page_token.is_none() || next_page_token == page_token {
            break;
        }
        page_token = next_page_token;
    }
    Ok(Exit::Completed)
}

/// Formats a document as a line for people.
fn line(document: &FoundDocument) -> String {
    let file_id = document.file_id.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let date = document.date.as_deref().unwrap_or("-");
    let size = document.size.map_or_else(|| "-".to_owned(), |bytes| format!("{bytes} bytes"));
    let name = document.name.as_deref().unwrap_or("-");
    make_printable(&format!("{file_id:<10}  {date}  {size:>16}  {name}  (id {})", document.id))
}
