//! In-memory document registry.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use docferry_app::ports::{
    GrantResult, MAX_GRANTS_PER_PERSON, Registry, RegistryPage, RegistryRange, RegistryWork,
    RegistryWriter, StoreError, UpsertResult, Withdrawal,
};
use docferry_domain::document::{
    Coverage, DocumentId, DocumentKey, DocumentRecord, Grant, Position, Subject,
};
use docferry_domain::person::Person;
use docferry_domain::transfer::DeliveredFile;
use jiff::Timestamp;

/// Document registry in memory. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct InMemoryRegistry {
    tables: Arc<Mutex<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    records: BTreeMap<DocumentId, DocumentRecord>,
    grants: BTreeMap<Person, BTreeMap<Coverage, Grant>>,
    /// Withdrawals whose copies still have to be deleted.
    withdrawals: BTreeMap<DocumentId, Withdrawal>,
    /// Names of the reads since the last [`InMemoryRegistry::take_reads`].
    reads: Vec<&'static str>,
}

impl Tables {
    fn find(&self, key: &DocumentKey) -> Option<&DocumentRecord> {
        self.records.values().find(|record| key.is_of(record))
    }
}

impl InMemoryRegistry {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    /// Adds a record without any check, for tests of the readers.
    pub fn insert(&self, record: DocumentRecord) {
        self.tables().records.insert(record.id.clone(), record);
    }

    /// Returns the names of all reads since the last call of this function.
    #[must_use]
    pub fn take_reads(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.tables().reads)
    }

    /// Removes all records and returns them.
    #[must_use]
    pub fn take_records(&self) -> Vec<DocumentRecord> {
        std::mem::take(&mut self.tables().records).into_values().collect()
    }
}

impl Registry for InMemoryRegistry {
    async fn documents(
        &self,
        keys: &[DocumentKey],
    ) -> Result<BTreeMap<DocumentKey, DocumentRecord>, StoreError> {
        let mut tables = self.tables();
        tables.reads.push("documents");
        let known = |key: &DocumentKey| Some((key.clone(), tables.find(key)?.clone()));
        Ok(keys.iter().filter_map(known).collect())
    }

    async fn page(
        &self,
        subject: &Subject,
        range: &RegistryRange,
    ) -> Result<RegistryPage, StoreError> {
        let mut tables = self.tables();
        tables.reads.push("page");
        let is_in_range = |position: &Position| {
            let sort_key = position.sort_key();
            range.sort_keys.start.as_ref().is_none_or(|start| *start <= sort_key)
                && range.sort_keys.end.as_ref().is_none_or(|end| sort_key < *end)
        };
        let is_after = |position: &Position| match &range.after {
            None => true,
            Some(after) if range.newest_first => position < after,
            Some(after) => position > after,
        };
        let mut documents: Vec<_> = tables
            .records
            .values()
            .filter(|record| record.subject == *subject && record.is_listed())
            .filter(|record| is_in_range(&record.position()) && is_after(&record.position()))
            .cloned()
            .collect();
        documents.sort_by_key(DocumentRecord::position);
        if range.newest_first {
            documents.reverse();
        }
        let has_more = documents.len() > range.limit;
        documents.truncate(range.limit);
        let more_after = documents.last().filter(|_| has_more).map(DocumentRecord::position);
        Ok(RegistryPage { documents, more_after })
    }

    async fn grants(&self, person: &Person) -> Result<Vec<Grant>, StoreError> {
        let mut tables = self.tables();
        tables.reads.push("grants");
        Ok(tables.grants.get(person).into_iter().flat_map(BTreeMap::values).cloned().collect())
    }
}

impl RegistryWriter for InMemoryRegistry {
    async fn upsert(&self, record: &DocumentRecord) -> Result<UpsertResult, StoreError> {
        let mut tables = self.tables();
        let stored = tables.records.get(&record.id);
        let next = match stored {
            None => Some(record.clone()),
            Some(stored) => stored.merged_with(record),
        };
        let Some(next) = next else {
            return Ok(UpsertResult::Conflict { field: "objGuid" });
        };
        for (key, field) in [
            (next.file_id.map(DocumentKey::File), "fileId"),
            (Some(DocumentKey::Object(next.obj_guid.clone())), "objGuid"),
        ] {
            let holder = key.and_then(|key| tables.find(&key));
            if holder.is_some_and(|holder| holder.id != next.id) {
                return Ok(UpsertResult::Conflict { field });
            }
        }
        if stored == Some(&next) {
            return Ok(UpsertResult::Unchanged);
        }
        let was_withdrawn = stored.is_some_and(|stored| stored.withdrawn_at.is_some());
        if let Some(withdrawal) = withdrawal_of(&next).filter(|_| !was_withdrawn) {
            tables.withdrawals.insert(next.id.clone(), withdrawal);
        }
        tables.records.insert(next.id.clone(), next);
        Ok(UpsertResult::Stored)
    }

    async fn withdraw(
        &self,
        key: &DocumentKey,
        at: Timestamp,
    ) -> Result<Option<DocumentRecord>, StoreError> {
        let mut tables = self.tables();
        let Some(mut record) = tables.find(key).cloned() else { return Ok(None) };
        if record.withdrawn_at.is_none() {
            record.withdrawn_at = Some(at);
            if let Some(withdrawal) = withdrawal_of(&record) {
                tables.withdrawals.insert(record.id.clone(), withdrawal);
            }
            tables.records.insert(record.id.clone(), record.clone());
        }
        Ok(Some(record))
    }

    async fn grant(&self, person: &Person, grant: &Grant) -> Result<GrantResult, StoreError> {
        let mut tables = self.tables();
        let grants = tables.grants.entry(person.clone()).or_default();
        if grants.len() >= MAX_GRANTS_PER_PERSON && !grants.contains_key(&grant.coverage) {
            return Ok(GrantResult::TooMany);
        }
        grants.insert(grant.coverage.clone(), grant.clone());
        Ok(GrantResult::Stored)
    }

    async fn revoke(&self, person: &Person, coverage: &Coverage) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let grants = tables.grants.get_mut(person);
        Ok(grants.is_some_and(|grants| grants.remove(coverage).is_some()))
    }
}

impl RegistryWork for InMemoryRegistry {
    async fn withdrawals(
        &self,
        after: Option<&Withdrawal>,
        limit: usize,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        let order = |withdrawal: &Withdrawal| (withdrawal.withdrawn_at, withdrawal.id.clone());
        let mut withdrawals: Vec<_> = self.tables().withdrawals.values().cloned().collect();
        withdrawals.retain(|withdrawal| after.is_none_or(|after| order(withdrawal) > order(after)));
        withdrawals.sort_by_key(order);
        withdrawals.truncate(limit);
        Ok(withdrawals)
    }

    async fn mark_withdrawal_audited(
        &self,
        withdrawal: &Withdrawal,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(work) = self.tables().withdrawals.get_mut(&withdrawal.id) {
            work.audited_at.get_or_insert(at);
        }
        Ok(())
    }

    async fn complete_withdrawal(&self, withdrawal: &Withdrawal) -> Result<(), StoreError> {
        self.tables().withdrawals.remove(&withdrawal.id);
        Ok(())
    }
}

fn withdrawal_of(record: &DocumentRecord) -> Option<Withdrawal> {
    let withdrawn_at = record.withdrawn_at?;
    Some(Withdrawal {
        id: record.id.clone(),
        obj_guid: record.obj_guid.clone(),
        withdrawn_at,
        withdrawn_by: None,
        subject: Some(record.subject.clone()),
        file: Some(DeliveredFile::from(record)),
        audited_at: None,
    })
}
