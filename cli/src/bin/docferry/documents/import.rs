//! `docferry documents import`: loads records into the document registry from an NDJSON file, which
//! has one JSON object in each line.

use std::path::PathBuf;

use clap::Args;
use docferry_app::ports::{RegistryWriter as _, StoreError};
use docferry_aws::DynamoRegistry;
use docferry_domain::document::{DocumentRecord, RecordReader, RecordRules};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::summary::Summary;
use crate::admin::{AdminError, RegistryArgs};
use crate::clock::now;
use crate::error::CliError;
use crate::exit::Exit;
use crate::input::Input;
use crate::output;
use crate::subject_args::SubjectArgs;

/// Number of records that are written at the same time.
pub(super) const PARALLEL_WRITES: usize = 8;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Path of the file, or - for standard input
    #[arg(value_name = "NDJSON")]
    file: PathBuf,

    #[command(flatten)]
    subject_args: SubjectArgs,

    #[command(flatten)]
    registry_args: RegistryArgs,
}

/// A record and the number of its line, for messages.
struct NumberedRecord {
    line: u64,
    record: DocumentRecord,
}

/// Runs the command. A first pass over the file validates all records, and a second pass writes
/// them. So an invalid file writes nothing, although the records need not fit into memory.
pub(super) async fn run(import: &Import, json: bool) -> Result<Exit, CliError> {
    let subjects = import.subject_args.patterns()?;
    let rules = RecordRules { subjects: &subjects, now: now() };
    let mut input = Input::open(&import.file)?;
    validate(&mut input, rules)?;
    let registry = import.registry_args.open_as_operator().await?;
    let mut summary = Summary::default();
    if let Err(error) = write(&mut input, rules, &registry, &mut summary).await {
        output::print_note("some records may be stored; import the file again")?;
        return Err(error);
    }
    output::print_result(json, &summary, &summary.text())?;
    Ok(summary.exit())
}

/// Validates all records.
fn validate(input: &mut Input, rules: RecordRules<'_>) -> Result<(), CliError> {
    let mut reader = RecordReader::new(rules);
    let mut chunks = input.chunks()?;
    // Valid records are dropped here. The second pass reads them from the file.
    while let Some(chunk) = chunks.next_chunk()? {
        reader.push(chunk, &mut |_line, _record| {});
    }
    let result = reader.finish(&mut |_line, _record| {});
    result.map_err(|errors| AdminError::InvalidLines(errors.to_string()).into())
}

/// Writes all records.
async fn write(
    input: &mut Input,
    rules: RecordRules<'_>,
    registry: &DynamoRegistry,
    summary: &mut Summary,
) -> Result<(), CliError> {
    let mut reader = RecordReader::new(rules);
    let mut chunks = input.chunks()?;
    let mut records = Vec::new();
    while let Some(chunk) = chunks.next_chunk()? {
        reader.push(chunk, &mut |line, record| records.push(NumberedRecord { line, record }));
        write_records(std::mem::take(&mut records), registry, summary).await?;
    }
    let result = reader.finish(&mut |line, record| records.push(NumberedRecord { line, record }));
    // The first pass found no error, so an error means that the file has changed.
    result.map_err(|_| AdminError::FileChanged)?;
    write_records(records, registry, summary).await
}

/// Writes records, several at the same time, and counts the results in `summary`.
async fn write_records(
    records: Vec<NumberedRecord>,
    registry: &DynamoRegistry,
    summary: &mut Summary,
) -> Result<(), CliError> {
    let write_record = async |NumberedRecord { line, record }| {
        let result = registry.upsert(&record).await?;
        Ok::<_, StoreError>((line, record.id, result))
    };
    let mut results = stream::iter(records).map(write_record).buffered(PARALLEL_WRITES);
    while let Some((line, id, result)) = results.try_next().await.map_err(AdminError::from)? {
        summary.count(&format!("line {line}"), &id, result)?;
    }
    Ok(())
}
