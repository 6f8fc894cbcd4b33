//! The `docferry documents` command, for operators with their own AWS credentials. It maintains the
//! index of documents, which maps the numbers of documents to their GUIDs in the object store.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::{Args as Group, Subcommand};
use docferry_app::ports::IndexedDocument;
use docferry_domain::ids::FileId;
use docferry_domain::text::is_printable;
use serde::{Deserialize, Serialize};

use crate::admin::{AdminError, DocumentsIndexArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Maximum number of invalid lines that are reported. Further invalid lines are only counted.
const MAX_REPORTED_LINES: usize = 10;

#[derive(Debug, Subcommand)]
pub(crate) enum Documents {
    /// Load the index of documents from a file with one JSON object per line:
    /// {"file_id": 10001, "objectGuid": "…", "name": "…", "size": 15000000}.
    /// name and size are optional. Existing entries with the same number are replaced.
    Import(Import),
}

#[derive(Debug, Group)]
pub(crate) struct Import {
    /// Path of the file, or - for standard input
    #[arg(value_name = "NDJSON")]
    file: PathBuf,

    #[command(flatten)]
    index_args: DocumentsIndexArgs,
}

/// One line of the file.
#[derive(Debug, Deserialize)]
struct ImportLine {
    file_id: FileId,
    #[serde(rename = "objectGuid")]
    object_guid: docferry_domain::ids::ObjectGuid,
    name: Option<String>,
    size: Option<u64>,
}

/// Result of the import as a JSON line.
#[derive(Debug, Serialize)]
struct Imported {
    imported: usize,
}

pub(crate) async fn run(documents: &Documents, json: bool) -> Result<Exit, CliError> {
    let Documents::Import(Import { file, index_args }) = documents;
    let text = read_text(file)?;
    let entries: Vec<_> = parse(&text)?.into_iter().collect();
    let index = index_args.index().await?;
    let imported = entries.len();
    if let Err(error) = index.put(&entries).await {
        output::print_note("some of the documents may have been imported; import the file again")?;
        return Err(AdminError::from(error).into());
    }
    output::print_result(json, &Imported { imported }, &format!("{imported} documents imported"))?;
    Ok(Exit::Completed)
}

/// Reads the file, or standard input if the path is `-`.
fn read_text(file: &Path) -> Result<String, CliError> {
    if file == Path::new("-") {
        let mut text = String::new();
        let read = io::stdin().lock().read_to_string(&mut text);
        return read.map(|_| text).map_err(unreadable("standard input".into()));
    }
    fs::read_to_string(file).map_err(unreadable(format!("the file {}", file.display())))
}

fn unreadable(name: String) -> impl FnOnce(io::Error) -> CliError {
    move |source| CliError::Input { name, source }
}

/// Parses all lines. If any line is invalid, returns an error that lists the invalid lines.
fn parse(text: &str) -> Result<BTreeMap<FileId, IndexedDocument>, AdminError> {
    let mut documents = BTreeMap::new();
    let mut errors = Vec::new();
    // Editors may write a byte order mark before the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<ImportLine>(line) {
            Ok(ImportLine { name: Some(name), .. }) if !is_printable(&name) => {
                errors.push(format!("line {number}: the name has unprintable characters"));
            }
            Ok(ImportLine { file_id, object_guid, name, size }) => {
                let document = IndexedDocument { object_guid, name, size };
                if documents.insert(file_id, document).is_some() {
                    errors.push(format!("line {number}: duplicate number {file_id}"));
                }
            }
            Err(error) => errors.push(format!("line {number}: {error}")),
        }
    }
    if errors.is_empty() {
        return Ok(documents);
    }
    let count = errors.len();
    errors.truncate(MAX_REPORTED_LINES);
    if count > MAX_REPORTED_LINES {
        errors.push(format!("and {} more", count - MAX_REPORTED_LINES));
    }
    Err(AdminError::InvalidLines(errors.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_parses_all_lines_with_optional_members_missing() {
        let text = "{\"file_id\": 10001, \"objectGuid\": \"AAAA\", \"name\": \"a.pdf\", \"size\": 7}\n\n\
                    {\"file_id\": 10002, \"objectGuid\": \"AAAB\"}\n";
        let documents = parse(text).unwrap();
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[&FileId::new(10_001)].size, Some(7));
        assert_eq!(documents[&FileId::new(10_002)].name, None);
    }

    #[test]
    fn import_skips_byte_order_mark_and_refuses_unprintable_names() {
        let line = "{\"file_id\": 10001, \"objectGuid\": \"AAAA\", \"name\": \"NAME\"}";
        let with_byte_order_mark = format!("\u{feff}{}", line.replace("NAME", "l'été.pdf"));
        assert_eq!(parse(&with_byte_order_mark).unwrap().len(), 1);
        for bad in ["a\u{202e}b", "a\\nb", "a\u{fffd}b"] {
            let error = parse(&line.replace("NAME", bad)).unwrap_err().to_string();
            assert!(error.contains("line 1: the name"), "{error}");
        }
    }

    #[test]
    fn import_reports_invalid_lines_by_number_and_returns_nothing() {
        let text = "{\"file_id\": 1, \"objectGuid\": \"AAAA\"}\nnonsense\n\
                    {\"file_id\": 1, \"objectGuid\": \"AAAB\"}\n{\"file_id\": 2}\n\
                    {\"file_id\": 3, \"objectGuid\": \"AAAA\", \"objectGuid\": \"AAAB\"}\n";
        let error = parse(text).unwrap_err().to_string();
        for expected in ["line 2: ", "line 3: duplicate number 1", "line 4: ", "line 5: "] {
            assert!(error.contains(expected), "{error}");
        }
    }
}
