//! Writes of records. The table holds several copies of a record: one under each unique key (id,
//! number, GUID), and one in the list of its subject. One transaction writes all copies. Its first
//! action checks the *version*, the number of writes of the record.

use aws_sdk_dynamodb::types::TransactWriteItem;
use docferry_app::ports::{GrantResult, RegistryWriter, StoreError, UpsertResult};
use docferry_domain::document::{Coverage, DocumentKey, DocumentRecord, Grant};
use docferry_domain::person::Person;
use jiff::Timestamp;

use super::super::conditional_update::{ConditionalUpdate, number};
use super::super::items::attribute;
use super::super::keys::Item;
use super::super::write_failure::{ConditionResult, WriteFailure};
use super::DynamoRegistry;
use super::grants::{delete_grant, put_grant};
use super::items::{StoredRecord, VERSION, listed_key, record_key, withdrawal_item};
use crate::Fault;

/// Maximum number of transactions for one change. A transaction fails if another writer has changed
/// the same record since it was read.
const MAX_TRIES: u32 = 8;

impl RegistryWriter for DynamoRegistry {
    async fn upsert(&self, record: &DocumentRecord) -> Result<UpsertResult, StoreError> {
        let id = DocumentKey::Id(record.id.clone());
        repeat_while_outdated(|| async {
            let stored = self.stored(&id).await?;
            let next = match &stored {
                None => Some(record.clone()),
                Some(stored) => stored.record.merged_with(record),
            };
            let Some(next) = next else {
                return Ok(Some(UpsertResult::Conflict { field: "objGuid" }));
            };
            if stored.as_ref().is_some_and(|stored| stored.record == next) {
                return Ok(Some(UpsertResult::Unchanged));
            }
            Ok(match self.replace(stored.as_ref(), next).await? {
                Replacement::Written => Some(UpsertResult::Stored),
                Replacement::KeyTaken { field } => Some(UpsertResult::Conflict { field }),
                Replacement::Outdated => None,
            })
        })
        .await
    }

    async fn withdraw(
        &self,
        key: &DocumentKey,
        at: Timestamp,
    ) -> Result<Option<DocumentRecord>, StoreError> {
        repeat_while_outdated(|| async {
            let Some(stored) = self.stored(key).await? else { return Ok(Some(None)) };
            if stored.record.withdrawn_at.is_some() {
                return Ok(Some(Some(stored.record)));
            }
            let next = DocumentRecord { withdrawn_at: Some(at), ..stored.record.clone() };
            let replaced = self.replace(Some(&stored), next.clone()).await?;
            Ok(matches!(replaced, Replacement::Written).then_some(Some(next)))
        })
        .await
    }

    async fn grant(&self, person: &Person, grant: &Grant) -> Result<GrantResult, StoreError> {
        put_grant(self, person, grant).await
    }

    async fn revoke(&self, person: &Person, coverage: &Coverage) -> Result<bool, StoreError> {
        delete_grant(self, person, coverage).await
    }
}

/// Repeats `try_once`, which reads a record and writes it in a transaction, until it returns a
/// result. `try_once` returns `None` if another writer changed the record between its read and its
/// transaction.
///
/// # Errors
/// The errors of `try_once`, and [`StoreError::Unavailable`] after [`MAX_TRIES`] transactions.
async fn repeat_while_outdated<T, F>(try_once: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<Option<T>, StoreError>>,
{
    for _ in 0..MAX_TRIES {
        if let Some(result) = try_once().await? {
            return Ok(result);
        }
    }
    Err(contention())
}

/// Result of one transaction that replaces a record.
enum Replacement {
    /// All copies are written.
    Written,
    /// Another document has the number or the GUID. Nothing was written.
    KeyTaken { field: &'static str },
    /// The record has changed since it was read. Nothing was written.
    Outdated,
}

impl DynamoRegistry {
    /// Reads the record with this key, and its version.
    async fn stored(&self, key: &DocumentKey) -> Result<Option<StoredRecord>, StoreError> {
        self.table.get(record_key(key)).await?.map(StoredRecord::parse).transpose()
    }

    /// Replaces all copies of a record, if it still has the version of `stored`. Without `stored`,
    /// adds the record if the document is unknown.
    async fn replace(
        &self,
        stored: Option<&StoredRecord>,
        next: DocumentRecord,
    ) -> Result<Replacement, StoreError> {
        let version = stored.map_or(1, |stored| stored.version + 1);
        let next = StoredRecord { record: next, version };
        let (actions, fields) = self.actions(stored, &next)?;
        let checks = match self.table.transact(&actions).await {
            Ok(()) => return Ok(Replacement::Written),
            Err(WriteFailure::Condition(checks)) => checks,
            Err(failure) => failure.current_item()?,
        };
        // The first failed action decides. The version is checked first, because a newer record may
        // have another number or GUID.
        let failed: Vec<_> =
            checks.iter().map(|check| matches!(check, ConditionResult::Failed(_))).collect();
        let taken = failed.iter().zip(&fields).find(|(failed, _)| **failed);
        Ok(match taken {
            Some((_, Some(field))) => Replacement::KeyTaken { field },
            Some((_, None)) | None => Replacement::Outdated,
        })
    }

    /// Returns the actions that replace all copies of a record.
    ///
    /// The second list names the unique field of each action, in the order of the actions. The
    /// first action has no such field, because it checks the version. The list ends after the
    /// actions of the unique fields.
    fn actions(
        &self,
        stored: Option<&StoredRecord>,
        next: &StoredRecord,
    ) -> Result<(Vec<TransactWriteItem>, Vec<Option<&'static str>>), StoreError> {
        let table = &self.table;
        let record = &next.record;
        let id = DocumentKey::Id(record.id.clone());
        let unchanged = match stored {
            None => ConditionalUpdate::default().when("attribute_not_exists(pk)"),
            Some(stored) => ConditionalUpdate::default()
                .when(format!("#{VERSION} = :{VERSION}"))
                .value(VERSION, number(stored.version)),
        };
        let mut actions = vec![table.put_action_when(next.copy(record_key(&id))?, unchanged)?];
        let mut fields = vec![None];
        for (key, field) in unique_keys(record) {
            let not_taken = ConditionalUpdate::default()
                .when("attribute_not_exists(pk) OR #id = :id")
                .value("id", attribute(&record.id)?);
            actions.push(table.put_action_when(next.copy(record_key(&key))?, not_taken)?);
            fields.push(Some(field));
        }
        let listed = record.is_listed().then(|| listed_key(record));
        if let Some(key) = &listed {
            actions.push(table.put_action(next.copy(key.clone())?)?);
        }
        for key in stale_keys(stored.map(|stored| &stored.record), record, listed.as_ref()) {
            actions.push(table.delete_action(key)?);
        }
        let was_withdrawn = stored.is_some_and(|stored| stored.record.withdrawn_at.is_some());
        if let Some(work) = withdrawal_item(record, self.writer.clone())?.filter(|_| !was_withdrawn)
        {
            actions.push(table.put_action(work)?);
        }
        Ok((actions, fields))
    }
}

/// Returns the keys of a record that no other document may have, each with the name of its field.
fn unique_keys(record: &DocumentRecord) -> impl Iterator<Item = (DocumentKey, &'static str)> {
    let number = record.file_id.map(|file| (DocumentKey::File(file), "fileId"));
    let guid = (DocumentKey::Object(record.obj_guid.clone()), "objGuid");
    number.into_iter().chain([guid])
}

/// Returns the keys of the copies of the stored record that the next record does not replace.
fn stale_keys(
    stored: Option<&DocumentRecord>,
    next: &DocumentRecord,
    listed: Option<&Item>,
) -> Vec<Item> {
    let Some(stored) = stored else { return Vec::new() };
    let keys = unique_keys(stored).map(|(key, _)| key).filter(|key| !key.is_of(next));
    let was_listed = stored.is_listed().then(|| listed_key(stored));
    let position = was_listed.filter(|key| Some(key) != listed);
    keys.map(|key| record_key(&key)).chain(position).collect()
}

/// Returns the error of a change that failed in every try, because of concurrent changes.
fn contention() -> StoreError {
    const CALL: &str = "DynamoDB TransactWriteItems";
    StoreError::Unavailable(Box::new(Fault::new(CALL, "other writers keep changing the document")))
}
