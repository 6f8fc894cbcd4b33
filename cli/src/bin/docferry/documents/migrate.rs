//! `docferry documents migrate`: copies the index by number of docferry 0.1.0 into the document
//! registry.

use clap::Args as Group;
use docferry_app::ports::{Registry as _, RegistryWriter as _, StoreError, UpsertResult};
use docferry_aws::{DynamoRegistry, NumberedDocument};
use docferry_domain::document::{
    ContentType, DocStatus, DocumentId, DocumentKey, DocumentName, DocumentRecord, FileName,
    RecordStatus, ScanResult, Subject,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::Serialize;

use super::import::PARALLEL_WRITES;
use super::summary::Summary;
use crate::admin::{AdminError, RegistryArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;
use crate::subject_args::SubjectArgs;

#[derive(Debug, Group)]
pub(crate) struct Migrate {
    /// Subject of all migrated documents
    #[arg(long, value_name = "[SYSTEM|]VALUE")]
    subject: String,

    /// Table with the index by number; overrides the output of the stack
    #[arg(long, value_name = "NAME")]
    index_table: Option<String>,

    #[command(flatten)]
    subject_args: SubjectArgs,

    #[command(flatten)]
    registry_args: RegistryArgs,
}

/// Result of the migration as a JSON line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Migrated {
    #[serde(flatten)]
    summary: Summary,
    /// Entries without a valid number or GUID, which are not copied.
    invalid: usize,
    /// Copied entries without a size, whose records have the size 0.
    without_size: usize,
}

pub(super) async fn run(migrate: &Migrate, json: bool) -> Result<Exit, CliError> {
    let subject = migrate.subject_args.subject(&migrate.subject)?;
    let tables = migrate.registry_args.open_with_index(migrate.index_table.as_ref());
    let (registry, index) = tables.await?;
    let (entries, invalid) = index.entries().await.map_err(AdminError::from)?;
    let mut migrated = Migrated { summary: Summary::default(), invalid, without_size: 0 };
    if let Err(error) = copy(&entries, &subject, &registry, &mut migrated).await {
        output::print_note("some entries may be copied; repeat the command")?;
        return Err(error);
    }
    let mut text = migrated.summary.text();
    if migrated.invalid > 0 {
        text.push_str(&format!(", {} entries without a valid number or GUID", migrated.invalid));
    }
    if migrated.without_size > 0 {
        text.push_str(&format!(", {} records with size 0 (unknown)", migrated.without_size));
    }
    output::print_result(json, &migrated, &text)?;
    Ok(migrated.summary.exit())
}

async fn copy(
    entries: &[NumberedDocument],
    subject: &Subject,
    registry: &DynamoRegistry,
    migrated: &mut Migrated,
) -> Result<(), CliError> {
    let copy = |entry: &NumberedDocument| {
        let (record, has_size) = (record_of(entry, subject), entry.size.is_some());
        async move {
            let record = record?;
            let result = insert(registry, &record).await?;
            Ok::<_, AdminError>((record.id, has_size, result))
        }
    };
    let mut results = stream::iter(entries).map(copy).buffered(PARALLEL_WRITES);
    while let Some((id, has_size, result)) = results.try_next().await? {
        migrated.summary.count("entry", &id, result)?;
        if result == UpsertResult::Stored && !has_size {
            migrated.without_size += 1;
        }
    }
    Ok(())
}

/// Writes a record, unless its number or id is registered.
async fn insert(
    registry: &DynamoRegistry,
    record: &DocumentRecord,
) -> Result<UpsertResult, StoreError> {
    let known = registry.documents(&DocumentKey::all_of(record)).await?;
    let is_known = |key: &DocumentKey| !matches!(key, DocumentKey::Object(_));
    if known.keys().any(is_known) {
        return Ok(UpsertResult::Unchanged);
    }
    registry.upsert(record).await
}

/// Builds the record of an entry.
fn record_of(entry: &NumberedDocument, subject: &Subject) -> Result<DocumentRecord, AdminError> {
    let number = entry.file_id;
    let invalid = |name| AdminError::InvalidArgument { name, problem: format!("number {number}") };
    let id: DocumentId = format!("file-{number}").parse().map_err(|_| invalid("id"))?;
    let default_name = || format!("document-{number}").parse::<FileName>();
    let file_name = match entry.name.as_deref().and_then(valid_name) {
        Some(name) => name,
        None => default_name().map_err(|_| invalid("file name"))?,
    };
    let content_type: ContentType =
        "application/octet-stream".parse().map_err(|_| invalid("content type"))?;
    Ok(DocumentRecord {
        id,
        subject: subject.clone(),
        file_id: Some(number),
        obj_guid: entry.object_guid.clone(),
        file_name,
        content_type,
        size: entry.size.unwrap_or(0),
        // Every record of the system of record is newer, so it replaces this one.
        created: Timestamp::UNIX_EPOCH,
        indexed: Timestamp::UNIX_EPOCH,
        type_code: None,
        category: None,
        doc_status: DocStatus::Final,
        status: RecordStatus::Current,
        scan_result: ScanResult::Unscanned,
        withdrawn_at: None,
        groups: Vec::new(),
    })
}

/// Returns the name as it is, or adapted to the rules of file names; `None` if that is impossible.
fn valid_name(name: &str) -> Option<FileName> {
    let adapted = || DocumentName::adapted_from(name).ok()?.as_str().parse().ok();
    name.parse().ok().or_else(adapted)
}

#[cfg(test)]
mod tests {
    use docferry_domain::document::SubjectPatterns;
    use docferry_domain::ids::FileId;

    use super::*;

    #[test]
    fn entry_becomes_a_record_with_a_valid_name() {
        let subject = SubjectPatterns::default().read_text("S-1").unwrap();
        let entry = |name: Option<&str>| NumberedDocument {
            file_id: FileId::new(10_001),
            object_guid: "AAAA".parse().unwrap(),
            name: name.map(str::to_owned),
            size: None,
        };
        for (name, expected) in [
            (Some("order.pdf"), "order.pdf"),
            (Some(" order.pdf "), "order.pdf"),
            (Some(""), "document-10001"),
            (None, "document-10001"),
        ] {
            let record = record_of(&entry(name), &subject).unwrap();
            assert_eq!(record.file_name.as_str(), expected);
            assert_eq!(record.id.as_str(), "file-10001");
            assert_eq!((record.size, record.scan_result), (0, ScanResult::Unscanned));
        }
    }
}
