//! `docferry documents withdraw`: makes a document unavailable.

use clap::{Args as Group, ValueEnum};
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

#[derive(Debug, Group)]
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
    let keys = keys(&withdraw.document, withdraw.by);
    if keys.is_empty() {
        let problem = "it has the form of no id, number or GUID that --by allows".to_owned();
        return Err(AdminError::InvalidArgument { name: "document", problem }.into());
    }
    let registry = withdraw.registry_args.open_as_operator().await?;
    let key = find_id(&registry, keys).await?;
    let record = registry.withdraw(&key, now()).await.map_err(AdminError::from)?;
    let record = record.ok_or(AdminError::DocumentNotFound)?;
    let withdrawn = Withdrawn { id: record.id, withdrawn_at: record.withdrawn_at };
    let time = withdrawn.withdrawn_at.map(|time| time.to_string()).unwrap_or_default();
    output::print_result(json, &withdrawn, &format!("{} was withdrawn at {time}", withdrawn.id))?;
    Ok(Exit::Completed)
}

/// Returns the keys that a text can be, whatever their kind.
pub(crate) fn document_keys(text: &str) -> Vec<DocumentKey> {
    keys(text, None)
}

/// Returns the keys that a text can be.
fn keys(text: &str, by: Option<KeyKind>) -> Vec<DocumentKey> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let may_be = |kind| match by {
        Some(by) => by == kind,
        None => is_digits == (kind == KeyKind::Number),
    };
    let id = || text.parse().ok().map(DocumentKey::Id);
    let number = || text.parse().ok().map(FileId::new).map(DocumentKey::File);
    let guid = || text.parse().ok().map(DocumentKey::Object);
    let candidates = [
        may_be(KeyKind::Id).then(id),
        may_be(KeyKind::Number).then(number),
        may_be(KeyKind::Guid).then(guid),
    ];
    candidates.into_iter().flatten().flatten().collect()
}

/// Looks up the document and returns its id, which never changes.
async fn find_id(
    registry: &DynamoRegistry,
    keys: Vec<DocumentKey>,
) -> Result<DocumentKey, AdminError> {
    let mut found = registry.documents(&keys).await?.into_iter();
    match (found.next(), found.next()) {
        (None, _) => Err(AdminError::DocumentNotFound),
        (Some((_, first)), Some((_, second))) if first.id != second.id => {
            Err(AdminError::AmbiguousKey)
        }
        (Some((_, record)), _) => Ok(DocumentKey::Id(record.id)),
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
        assert_eq!(keys("10001", None), [number]);
        assert_eq!(keys("10001", Some(KeyKind::Id)), [id("10001")]);
        assert_eq!(keys("doc-1", None), [id("doc-1")]);
        assert_eq!(keys("AAECAw==", None), [guid("AAECAw==")]);
        assert_eq!(keys("AAEC", None), [id("AAEC"), guid("AAEC")]);
        assert_eq!(keys("AAEC", Some(KeyKind::Guid)), [guid("AAEC")]);
        assert_eq!(keys("no id", None), []);
        assert_eq!(keys("doc-1", Some(KeyKind::Number)), []);
    }
}
