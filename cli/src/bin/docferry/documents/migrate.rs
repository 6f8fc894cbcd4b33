//! `docferry documents migrate`: copies the index by number of docferry 0.1.0 into the document
//! registry.
//!
//! The index maps the number of a document to its GUID. Each entry becomes a record of the
//! registry. The records of the system of record are newer and later replace the migrated ones.

use clap::Args;
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

#[derive(Debug, Args)]
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
    let (entries, invalid_entries) = index.entries().await.map_err(AdminError::from)?;
    let mut migrated =
        Migrated { summary: Summary::default(), invalid: invalid_entries, without_size: 0 };
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

/// Copies the entries into the registry, and counts them in `migrated`.
async fn copy(
    entries: &[NumberedDocument],
    subject: &Subject,
    registry: &DynamoRegistry,
    migrated: &mut Migrated,
) -> Result<(), CliError> {
    let copy_entry = |entry: &NumberedDocument| {
        let (record, has_size) = (to_record(entry, subject), entry.size.is_some());
        async move {
            let record = record?;
            let result = insert_if_new(registry, &record).await?;
            Ok::<_, AdminError>((record.id, has_size, result))
        }
    };
    let mut results = stream::iter(entries).map(copy_entry).buffered(PARALLEL_WRITES);
    while let Some((id, has_size, result)) = results.try_next().await? {
        migrated.summary.count("entry", &id, result)?;
        if result == UpsertResult::Stored && !has_size {
            migrated.without_size += 1;
        }
    }
    Ok(())
}

/// Writes a record, unless its number or id is registered. A registered GUID does not prevent the
/// write: the registry reports a GUID of another document as a conflict.
async fn insert_if_new(
    registry: &DynamoRegistry,
    record: &DocumentRecord,
) -> Result<UpsertResult, StoreError> {
    let registered = registry.documents(&DocumentKey::all_of(record)).await?;
    let is_number_or_id =
        |key: &DocumentKey| matches!(key, DocumentKey::File(_) | DocumentKey::Id(_));
    if registered.keys().any(is_number_or_id) {
        return Ok(UpsertResult::Unchanged);
    }
    registry.upsert(record).await
}

/// Converts an entry of the index to a record of the registry.
fn to_record(entry: &NumberedDocument, subject: &Subject) -> Result<DocumentRecord, AdminError> {
    let file_id = entry.file_id;
    let invalid = |name| AdminError::InvalidArgument { name, problem: format!("number {file_id}") };
    let id: DocumentId = format!("file-{file_id}").parse().map_err(|_| invalid("id"))?;
    let default_name = || format!("document-{file_id}").parse::<FileName>();
    let file_name = match entry.name.as_deref().and_then(valid_name) {
        Some(name) => name,
        None => default_name().map_err(|_| invalid("file name"))?,
    };
    let content_type: ContentType =
        "application/octet-stream".parse().map_err(|_| invalid("content type"))?;
    Ok(DocumentRecord {
        id,
        subject: subject.clone(),
        file_id: Some(file_id),
        obj_guid: entry.object_guid.clone(),
        file_name,
        content_type,
        size: entry.size.unwrap_or(0),
        // Every record of the system of record is newer, so it replaces this one if it has its id.
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

/// Returns the name unchanged if it is valid, and otherwise adapted to the rules of file names.
/// Returns `None` if the name cannot be adapted.
fn valid_name(name: &str) -> Option<FileName> {
    let adapted_name = || DocumentName::adapted_from(name).ok()?.as_str().parse().ok();
    name.parse().ok().or_else(adapted_name)
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
            let record = to_record(&entry(name), &subject).unwrap();
            assert_eq!(record.file_name.as_str(), expected);
            assert_eq!(record.id.as_str(), "file-10001");
            assert_eq!((record.size, record.scan_result), (0, ScanResult::Unscanned));
        }
    }
}
