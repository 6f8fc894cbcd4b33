//! `docferry documents withdraw`: makes a document unavailable for good.
//!
//! A document has up to three keys: its id in the document registry, its number, and its GUID in
//! the object store. The user may pass any of them.

use clap::{Args, ValueEnum};
use docferry_app::ports::{Registry as _, RegistryWriter as _};
use docferry_aws::DynamoRegistry;
use docferry_domain::document::{DocumentId, DocumentKey};
use docferry_domain::ids::FileId;
use jiff::Timestamp;
use serde::Serialize;

use crate::admin::{AdminError, RegistryArgs};
use crate::clock::now;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// Id, number or GUID of the document. A text of digits only is a number
    #[arg(value_name = "DOCUMENT")]
    document: String,

    /// Kind of the key
    #[arg(long, value_name = "KIND")]
    by: Option<KeyKind>,

    #[command(flatten)]
    registry_args: RegistryArgs,
}

/// Kind of a document's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeyKind {
    /// The id in the registry
    Id,
    /// The number (fileId)
    Number,
    /// The GUID in the object store (objGuid)
    Guid,
}

/// Result of the withdrawal as a JSON line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Withdrawn {
    id: DocumentId,
    withdrawn_at: Option<Timestamp>,
}

pub(super) async fn run(withdraw: &Withdraw, json: bool) -> Result<Exit, CliError> {
    let keys = possible_keys(&withdraw.document, withdraw.by);
    if keys.is_empty() {
        let problem = "it must be an id, a number or a GUID; with --by, of that kind".to_owned();
        return Err(AdminError::InvalidArgument { name: "document", problem }.into());
    }
    let registry = withdraw.registry_args.open_as_operator().await?;
    let id_key = find_id(&registry, keys).await?;
    let record = registry.withdraw(&id_key, now()).await.map_err(AdminError::from)?;
    let record = record.ok_or(AdminError::DocumentNotFound)?;
    let withdrawn = Withdrawn { id: record.id, withdrawn_at: record.withdrawn_at };
    let time = withdrawn.withdrawn_at.map(|time| time.to_string()).unwrap_or_default();
    output::print_result(json, &withdrawn, &format!("{} was withdrawn at {time}", withdrawn.id))?;
    Ok(Exit::Completed)
}

/// Returns the keys of a document that a text may stand for. The kind of the key is not known.
pub(crate) fn document_keys(text: &str) -> Vec<DocumentKey> {
    possible_keys(text, None)
}

/// Returns the keys of this kind that a text may stand for. A text that is not a valid key of this
/// kind stands for no key.
fn possible_keys(text: &str, kind: Option<KeyKind>) -> Vec<DocumentKey> {
    let id = text.parse().ok().map(DocumentKey::Id);
    let number = text.parse().ok().map(FileId::new).map(DocumentKey::File);
    let guid = text.parse().ok().map(DocumentKey::Object);
    let has_only_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let candidates = match kind {
        Some(KeyKind::Id) => [id, None],
        Some(KeyKind::Number) => [number, None],
        Some(KeyKind::Guid) => [guid, None],
        // Digits are also a valid id, but they nearly always stand for a number.
        None if has_only_digits => [number, None],
        None => [id, guid],
    };
    candidates.into_iter().flatten().collect()
}

/// Looks the document up by all its possible keys, and returns its id as a key. The id of a
/// document never changes.
async fn find_id(
    registry: &DynamoRegistry,
    keys: Vec<DocumentKey>,
) -> Result<DocumentKey, AdminError> {
    // A text has at most two possible keys. Both may belong to the same document.
    let mut records = registry.documents(&keys).await?.into_values();
    match (records.next(), records.next()) {
        (None, _) => Err(AdminError::DocumentNotFound),
        (Some(first), Some(second)) if first.id != second.id => Err(AdminError::AmbiguousKey),
        (Some(record), _) => Ok(DocumentKey::Id(record.id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_is_named_by_id_number_or_guid() {
        let number = DocumentKey::File(FileId::new(10_001));
        let id = |text: &str| DocumentKey::Id(text.parse().unwrap());
        let guid = |text: &str| DocumentKey::Object(text.parse().unwrap());
        assert_eq!(possible_keys("10001", None), [number]);
        assert_eq!(possible_keys("10001", Some(KeyKind::Id)), [id("10001")]);
        assert_eq!(possible_keys("doc-1", None), [id("doc-1")]);
        assert_eq!(possible_keys("AAECAw==", None), [guid("AAECAw==")]);
        assert_eq!(possible_keys("AAEC", None), [id("AAEC"), guid("AAEC")]);
        assert_eq!(possible_keys("AAEC", Some(KeyKind::Guid)), [guid("AAEC")]);
        assert_eq!(possible_keys("no id", None), []);
        assert_eq!(possible_keys("doc-1", Some(KeyKind::Number)), []);
    }
}
