//! Reads of the document registry. All of them are strongly consistent.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{Registry, RegistryPage, RegistryRange, StoreError};
use docferry_domain::document::{DocumentKey, DocumentRecord, Grant, Position, Subject};
use docferry_domain::person::Person;

use super::super::items::corrupt;
use super::super::keys::Item;
use super::super::table::SortKeyRange;
use super::DynamoRegistry;
use super::items::{
    grants_partition, position_key, read_grant, read_record, record_key, record_partition,
    subject_partition,
};

/// Bounds of the sort keys of all documents. The sort keys begin with a digit of the year, and `:`
/// sorts after `9`.
const ALL_DOCUMENTS: (&str, &str) = ("0", ":");

/// Bounds of the sort keys of all grants, `group#…` and `subject#…`. The character `$` sorts after
/// `#`.
const ALL_GRANTS: (&str, &str) = ("group#", "subject$");

impl Registry for DynamoRegistry {
    async fn documents(
        &self,
        keys: &[DocumentKey],
    ) -> Result<BTreeMap<DocumentKey, DocumentRecord>, StoreError> {
        // BatchGetItem rejects a request in which a key occurs twice.
        let requested: BTreeMap<_, _> =
            keys.iter().map(|key| (record_partition(key), key)).collect();
        let found = self.table.batch(requested.values().map(|key| record_key(key)).collect());
        let mut documents = BTreeMap::new();
        for item in found.await? {
            let partition = item.get("pk").and_then(|pk| pk.as_s().ok());
            let Some(key) = partition.and_then(|partition| requested.get(partition)) else {
                return Err(corrupt("document record"));
            };
            documents.insert(DocumentKey::clone(key), read_record(item)?);
        }
        Ok(documents)
    }

    async fn page(
        &self,
        subject: &Subject,
        range: &RegistryRange,
    ) -> Result<RegistryPage, StoreError> {
        let (first, end) = (range.sort_keys.start.as_deref(), range.sort_keys.end.as_deref());
        let first = first.unwrap_or(ALL_DOCUMENTS.0);
        let end = end.unwrap_or(ALL_DOCUMENTS.1);
        let after = range.after.as_ref().map(Position::sort_key);
        // DynamoDB rejects an empty range, and a start position outside the range.
        let (is_empty, starts_inside) = match (after.as_deref(), range.newest_first) {
            (None, _) => (first >= end, false),
            (Some(after), false) => (first >= end || after >= end, after >= first),
            (Some(after), true) => (first >= end || after < first, after < end),
        };
        if is_empty {
            return Ok(RegistryPage { documents: Vec::new(), more_after: None });
        }
        let start = range.after.as_ref().filter(|_| starts_inside);
        let sort_keys = SortKeyRange { first, last: end, is_descending: range.newest_first };
        let start = start.map(|position| position_key(subject, position));
        let partition = subject_partition(subject);
        let page = self.table.page(partition, sort_keys, start, range.limit).await?;

        let more_after = page.last_key.as_ref().map(position_of).transpose()?;
        // The range of DynamoDB includes its end, but `range.sort_keys` does not.
        let is_before_end = |item: &Item| sort_key(item).is_some_and(|sort_key| sort_key < end);
        let items = page.items.into_iter().filter(is_before_end);
        Ok(RegistryPage {
            documents: items.map(read_record).collect::<Result<_, _>>()?,
            more_after,
        })
    }

    async fn grants(&self, person: &Person) -> Result<Vec<Grant>, StoreError> {
        let (from, to) = ALL_GRANTS;
        // All grants of a person fit into the megabyte that one Query reads.
        let items = self.table.range(grants_partition(person), from, to, usize::MAX).await?;
        items.iter().map(read_grant).collect()
    }
}

fn sort_key(item: &Item) -> Option<&str> {
    item.get("sk").map(AttributeValue::as_s)?.ok().map(String::as_str)
}

/// Parses the position in a key.
fn position_of(key: &Item) -> Result<Position, StoreError> {
    sort_key(key).and_then(Position::from_sort_key).ok_or_else(|| corrupt("position"))
}
