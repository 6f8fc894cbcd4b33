//! In-memory implementation of the port [`ExchangeKeyStore`].
//!
//! An exchange key is the key of an object in the exchange bucket. Several transfers may use the
//! same key. The last of them deletes the object under a lease, so that no push writes it
//! meanwhile.

use docferry_app::ports::{ExchangeKeyStore, PushRecord, Release, StoreError, WriteError};
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{
    ExchangeKey, LateArrivalKey, OutstandingPush, PushedSource, Transfer, UNNAMED_PUSH_TIMEOUT,
};
use jiff::Timestamp;

use super::guards::same_execution;
use super::{ExchangeKeyState, InMemoryTransferStore, Tables};

/// Adds a key under which an object may still arrive to the record of a transfer, unless the record
/// contains the key already.
pub(super) fn add_late_arrival_key(transfer: &mut Transfer, late_key: &LateArrivalKey) {
    if !transfer.late_arrival_keys.iter().any(|known| known.key == late_key.key) {
        transfer.late_arrival_keys.push(late_key.clone());
    }
}

impl ExchangeKeyState {
    /// Returns whether transfers of a different document use the key.
    fn is_held_by_another(&self, document: &ObjectGuid) -> bool {
        !self.users.is_empty() && self.holder.as_ref() != Some(document)
    }
}

impl Tables {
    pub(super) fn record_push(
        &mut self,
        id: &TransferId,
        execution_number: u32,
        push: &OutstandingPush,
        source: &PushedSource,
    ) -> Result<PushRecord, WriteError> {
        let document = &push.guid;
        let transfer = self.transfers.get_mut(id).ok_or(WriteError::NotFound)?;
        if transfer.phase.is_terminal() || transfer.execution_number != execution_number {
            return Err(WriteError::Ended);
        }
        let is_awaiting_arrival = transfer.phase == Phase::AwaitingArrival;
        if !transfer.needs_push() && !is_awaiting_arrival {
            return Ok(PushRecord::Recorded);
        }
        let usage = self.keys.entry(source.key.clone()).or_default();
        usage.outstanding.insert(push.clone());
        let late_key =
            LateArrivalKey { key: source.key.clone(), requested_at: source.requested_at };
        transfer.known_key = Some(source.key.clone());
        if usage.is_held_by_another(document) {
            add_late_arrival_key(transfer, &late_key);
            return Ok(PushRecord::HeldByAnother);
        }
        let is_being_deleted =
            usage.releasing.as_ref().is_some_and(|(_, until)| *until > source.pushed_at);
        // A deletion after the push request may have removed the new object. That is not possible
        // if this transfer has used the key since before the push.
        let was_just_deleted = !usage.users.contains(id)
            && usage.released_at.is_some_and(|at| at >= source.requested_at);
        if is_being_deleted || was_just_deleted {
            add_late_arrival_key(transfer, &late_key);
            return Ok(PushRecord::Releasing);
        }
        usage.users.insert(id.clone());
        usage.holder = Some(document.clone());
        usage.releasing = None;
        let previous = transfer.source.replace(source.clone());
        if let Some(previous) = previous.filter(|previous| previous.key != source.key) {
            add_late_arrival_key(
                transfer,
                &LateArrivalKey { key: previous.key, requested_at: previous.requested_at },
            );
        }
        transfer.push_again = false;
        transfer.phase = transfer.phase.max(Phase::AwaitingArrival);
        Ok(PushRecord::Recorded)
    }

    pub(super) fn acquire_key(
        &mut self,
        id: &TransferId,
        document: &ObjectGuid,
        key: &str,
        now: Timestamp,
    ) -> bool {
        let usage = self.keys.entry(key.to_owned()).or_default();
        let is_being_deleted = usage.releasing.as_ref().is_some_and(|(_, until)| *until > now);
        if is_being_deleted || usage.is_held_by_another(document) {
            return false;
        }
        usage.users.insert(id.clone());
        usage.holder = Some(document.clone());
        usage.releasing = None;
        true
    }

    pub(super) fn exchange_key(&self, key: &str) -> ExchangeKey {
        let Some(usage) = self.keys.get(key) else { return ExchangeKey::default() };
        ExchangeKey {
            holder: usage.holder.clone(),
            outstanding: usage.outstanding.iter().cloned().collect(),
        }
    }

    pub(super) fn announce(&mut self, id: &TransferId, push: &OutstandingPush) -> OutstandingPush {
        let announced = self.announced.entry(id.clone()).or_insert_with(|| push.clone());
        if push.pushed_at.duration_since(announced.pushed_at) >= UNNAMED_PUSH_TIMEOUT {
            announced.pushed_at = push.pushed_at;
        }
        announced.clone()
    }
}

impl ExchangeKeyStore for InMemoryTransferStore {
    async fn exchange_key(&self, key: &str) -> Result<ExchangeKey, StoreError> {
        Ok(self.tables().exchange_key(key))
    }

    async fn acquire_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        document: &ObjectGuid,
        key: &str,
        now: Timestamp,
    ) -> Result<bool, WriteError> {
        self.edit(id, same_execution(execution_number), |_| ())?;
        Ok(self.tables().acquire_key(id, document, key, now))
    }

    async fn remove_outstanding_push(
        &self,
        key: &str,
        push: &OutstandingPush,
    ) -> Result<(), StoreError> {
        if let Some(usage) = self.tables().keys.get_mut(key) {
            usage.outstanding.remove(push);
        }
        Ok(())
    }

    async fn release_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        key: &str,
        _now: Timestamp,
        until: Timestamp,
    ) -> Result<Release, StoreError> {
        let mut tables = self.tables();
        if tables
            .transfers
            .get(id)
            .is_some_and(|transfer| transfer.execution_number != execution_number)
        {
            return Ok(Release::StillReferenced);
        }
        let Some(usage) = tables.keys.get_mut(key) else { return Ok(Release::StillReferenced) };
        let is_own_lease = usage.releasing.as_ref().is_some_and(|(by, _)| by.as_ref() == Some(id));
        let is_user = usage.users.remove(id);
        if !usage.users.is_empty() || !(is_user || is_own_lease) {
            return Ok(Release::StillReferenced);
        }
        // A second process of the same transfer shares the lease with the first process. A shared
        // lease names no transfer.
        usage.releasing = Some(((!is_own_lease).then(|| id.clone()), until));
        usage.holder = None;
        Ok(Release::Last)
    }

    async fn acquire_unused_key(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let usage = tables.keys.entry(key.to_owned()).or_default();
        let lease = usage.releasing.as_ref().filter(|(_, end)| *end > now);
        let is_own_lease = lease.is_some_and(|(by, _)| by.as_ref() == Some(id));
        if !usage.users.is_empty() || (lease.is_some() && !is_own_lease) {
            return Ok(false);
        }
        // A shared lease names no transfer.
        usage.releasing = Some(((!is_own_lease).then(|| id.clone()), until));
        Ok(true)
    }

    async fn mark_released(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let Some(usage) = tables.keys.get_mut(key) else { return Ok(()) };
        if usage.releasing.as_ref().is_some_and(|(by, _)| by.as_ref() == Some(id)) {
            usage.releasing = None;
            usage.released_at = Some(now);
        }
        Ok(())
    }
}
