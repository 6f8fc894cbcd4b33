//! Exchange keys in DynamoDB, with their users and deletion leases. The steps `push`, `poll` and
//! `finalize` use this port.
//!
//! An *exchange key* names an object in the exchange bucket, where the document source puts the
//! documents that it pushes. Several transfers of the same document can use one key. The last user
//! gets the *deletion lease*: the right to delete the object. Until the lease ends, no transfer can
//! begin to use the key.
//!
//! | attribute of `K#{key}` | meaning |
//! |---|---|
//! | `refs` | the transfers that use the key |
//! | `guid` | the document of these transfers |
//! | `releasingBy`, `releasingUntil` | the deletion lease: its holder and its end |
//! | `releasedAt` | time of the deletion |
//! | `outstanding` | pushes to this key whose objects are not identified yet |
//!
//! Times are milliseconds since 1970.
//!
//! If DynamoDB rejects a write because a condition does not hold, `WriteFailure::current_item`
//! returns the current item. For a transaction, it returns the result of each action. For any other
//! failure, it returns an error.

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{ExchangeKeyStore, Release, StoreError, WriteError};
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::transfer::{ExchangeKey, OutstandingPush};
use jiff::{SignedDuration, Timestamp};

use super::DynamoTransferStore;
use super::conditional_update::{ConditionalUpdate, number, string};
use super::guards::{by_execution, contention_error, ensure_active};
use super::items::{corrupt, ttl};
use super::keys::{Item, references_key, transfer_key};
use super::table::Table;
use super::write_failure::{ConditionResult, WriteFailure};

/// Time after which TTL removes the record of a key without users. A pushed object arrives much
/// earlier, or not at all.
const TTL_DELAY: SignedDuration = SignedDuration::from_hours(24);

/// Value of `releasingBy` if several processes of one transfer share the deletion lease.
const SEVERAL_PROCESSES: &str = "several";

/// Maximum number of attempts to write an item that other writers keep changing.
pub(super) const MAX_WRITE_ATTEMPTS: usize = 8;

impl ExchangeKeyStore for DynamoTransferStore {
    /// Reads the document and the outstanding pushes of a key.
    async fn exchange_key(&self, key: &str) -> Result<ExchangeKey, StoreError> {
        let Some(item) = self.table.get(references_key(key)).await? else {
            return Ok(ExchangeKey::default());
        };
        let parse_push = |text: &String| text.parse().map_err(|_| corrupt("outstanding push"));
        let pushes = item.get("outstanding").and_then(|pushes| pushes.as_ss().ok());
        let mut outstanding: Vec<OutstandingPush> =
            pushes.into_iter().flatten().map(parse_push).collect::<Result<_, _>>()?;
        outstanding.sort();
        let guid = item.get("guid").and_then(|guid| guid.as_s().ok());
        let holder = guid.map(|guid| guid.parse().map_err(|_| corrupt("holder of a key")));
        Ok(ExchangeKey { holder: holder.transpose()?, outstanding })
    }

    /// Makes the transfer a user of a key that an earlier push returned. Returns `false` if another
    /// document uses the key or its object is being deleted.
    async fn acquire_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        document: &ObjectGuid,
        key: &str,
        now: Timestamp,
    ) -> Result<bool, WriteError> {
        let actions = [
            self.table.check_action(transfer_key(id), by_execution(execution_number))?,
            self.table.update_action(references_key(key), take_key(id, document, now))?,
        ];
        let Err(failure) = self.table.transact(&actions).await else { return Ok(true) };
        // The checks have the order of the actions: first the transfer, then the key.
        let mut checks = failure.current_item()?.into_iter();
        match (checks.next(), checks.next()) {
            (Some(ConditionResult::Failed(current)), _) => {
                ensure_active(current, execution_number)?;
                Err(contention_error("acquire_key").into())
            }
            (_, Some(ConditionResult::Failed(_))) => Ok(false),
            _ => Err(contention_error("acquire_key").into()),
        }
    }

    /// Removes a push from the outstanding pushes of a key, after the object of the push has been
    /// identified.
    async fn remove_outstanding_push(
        &self,
        key: &str,
        push: &OutstandingPush,
    ) -> Result<(), StoreError> {
        let removed = ConditionalUpdate::default()
            .remove_member("outstanding", &push.to_string())
            .when("attribute_exists(#outstanding)");
        self.table
            .update(references_key(key), removed)
            .await
            .map(drop)
            .or_else(ignore_condition_failure)
    }

    /// Removes the transfer from the users of a key. If the transfer was the last user, it gets the
    /// deletion lease, which ends at `lease_end`.
    async fn release_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        key: &str,
        now: Timestamp,
        lease_end: Timestamp,
    ) -> Result<Release, StoreError> {
        let table = &self.table;
        for _ in 0..MAX_WRITE_ATTEMPTS {
            // One write removes the last user and takes the deletion lease, so that no other
            // transfer can become a user of the key between the two changes.
            let last_user = ConditionalUpdate::default()
                .remove_member("refs", id.as_str())
                .remove(&["guid"])
                .set("releasingBy", string(id.as_str()))
                .set("releasingUntil", number(lease_end.as_millisecond()))
                // The TTL removes the record if the process dies before `mark_released`.
                .set("expiresAt", ttl(ttl_time(lease_end.max(now))))
                .when("contains(#refs, :id) AND size(#refs) = :one")
                .value("id", string(id.as_str()))
                .value("one", number(1_u8));
            match remove_reference(table, id, execution_number, key, last_user).await? {
                Removal::Done => return Ok(Release::Last),
                Removal::NewerExecution => return Ok(Release::StillReferenced),
                Removal::ConditionFailed(_) => {}
            }
            // The condition failed. Either other transfers use the key too, or this transfer does
            // not use the key.
            let one_of_many = ConditionalUpdate::default()
                .remove_member("refs", id.as_str())
                .when("contains(#refs, :id) AND size(#refs) > :one")
                .value("id", string(id.as_str()))
                .value("one", number(1_u8));
            let current =
                match remove_reference(table, id, execution_number, key, one_of_many).await? {
                    Removal::Done | Removal::NewerExecution => return Ok(Release::StillReferenced),
                    Removal::ConditionFailed(current) => current,
                };
            let refs = current.as_ref().and_then(|item| item.get("refs")?.as_ss().ok());
            let lease_holder =
                current.as_ref().and_then(|item| item.get("releasingBy")?.as_s().ok());
            if refs.is_none()
                && lease_holder.is_some_and(|lease_holder| lease_holder == id.as_str())
            {
                // Another process of this transfer has already taken the lease. Both now share it.
                let shared = shared_lease(id, now, lease_end);
                match remove_reference(table, id, execution_number, key, shared).await? {
                    Removal::Done => return Ok(Release::Last),
                    Removal::NewerExecution => return Ok(Release::StillReferenced),
                    Removal::ConditionFailed(_) => continue,
                }
            }
            if refs.is_none_or(|refs| !refs.iter().any(|member| member == id.as_str())) {
                return Ok(Release::StillReferenced);
            }
            // The other users released the key between the two writes, so this transfer is now the
            // last user. The next iteration repeats the first write.
        }
        Err(contention_error("release_key"))
    }

    /// Takes the deletion lease of an unused key. Returns `false` if a transfer uses the key or
    /// another transfer holds the lease.
    async fn acquire_unused_key(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
        lease_end: Timestamp,
    ) -> Result<bool, StoreError> {
        let taken = ConditionalUpdate::default()
            .set("releasingBy", string(id.as_str()))
            .set("releasingUntil", number(lease_end.as_millisecond()))
            .set("expiresAt", ttl(ttl_time(lease_end.max(now))))
            .when("attribute_not_exists(#refs)")
            .when("attribute_not_exists(#releasingBy) OR #releasingUntil <= :now")
            .value("now", number(now.as_millisecond()));
        let Err(failure) = self.table.update(references_key(key), taken).await else {
            return Ok(true);
        };
        failure.current_item()?;
        // If another process of this transfer holds the lease, both share it from now on.
        match self.table.update(references_key(key), shared_lease(id, now, lease_end)).await {
            Ok(_) => Ok(true),
            Err(failure) => failure.current_item().map(|_| false),
        }
    }

    /// Ends the deletion lease after the object was deleted.
    async fn mark_released(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let released = ConditionalUpdate::default()
            .set("releasedAt", number(now.as_millisecond()))
            .set("expiresAt", ttl(ttl_time(now)))
            .remove(&["releasingBy", "releasingUntil"])
            .when("#releasingBy = :id")
            .value("id", string(id.as_str()));
        match self.table.update(references_key(key), released).await {
            Ok(_) => Ok(()),
            // The key is already marked as released, or another transfer has taken over the lease
            // after it expired.
            Err(failure) => failure.current_item().map(drop),
        }
    }
}

/// Returns the time at which TTL removes the record of a key that has had no users since `since`.
pub(super) fn ttl_time(since: Timestamp) -> Timestamp {
    since.saturating_add(TTL_DELAY).unwrap_or(since)
}

/// Returns the change that turns the deletion lease of another process of the same transfer into a
/// shared lease. Neither process knows when the other one has deleted the object, so
/// `mark_released` does not end a shared lease.
fn shared_lease(id: &TransferId, now: Timestamp, lease_end: Timestamp) -> ConditionalUpdate {
    ConditionalUpdate::default()
        .set("releasingBy", string(SEVERAL_PROCESSES))
        .set("releasingUntil", number(lease_end.as_millisecond()))
        .set("expiresAt", ttl(ttl_time(lease_end.max(now))))
        .when("#releasingBy = :id AND attribute_not_exists(#refs)")
        .value("id", string(id.as_str()))
}

/// Result of removing a transfer from the users of a key.
enum Removal {
    /// The transfer was removed from the users of the key.
    Done,
    /// The transfer has a newer execution, which uses the key now.
    NewerExecution,
    /// A condition on the key did not hold. Contains the current item of the key.
    ConditionFailed(Option<Item>),
}

/// Applies `change` to the key, unless the transfer has a newer execution than `execution_number`.
async fn remove_reference(
    table: &Table,
    id: &TransferId,
    execution_number: u32,
    key: &str,
    change: ConditionalUpdate,
) -> Result<Removal, StoreError> {
    let same_execution = ConditionalUpdate::default()
        .when("attribute_not_exists(pk) OR #attempt = :attempt")
        .value("attempt", number(execution_number));
    let actions = [
        table.check_action(transfer_key(id), same_execution)?,
        table.update_action(references_key(key), change)?,
    ];
    let Err(failure) = table.transact(&actions).await else { return Ok(Removal::Done) };
    // The checks have the order of the actions: first the transfer, then the key.
    let mut checks = failure.current_item()?.into_iter();
    Ok(match (checks.next(), checks.next()) {
        (Some(ConditionResult::Failed(_)), _) => Removal::NewerExecution,
        (_, Some(ConditionResult::Failed(current))) => Removal::ConditionFailed(current),
        _ => Removal::ConditionFailed(None),
    })
}

/// Returns the change that makes the transfer a user of the key. Its conditions are:
///
/// - The deletion lease of the key is free or over.
/// - No other document uses the key ([`is_held_by_another`]).
pub(super) fn take_key(
    id: &TransferId,
    document: &ObjectGuid,
    now: Timestamp,
) -> ConditionalUpdate {
    ConditionalUpdate::default()
        .add_member("refs", id.as_str())
        .set("guid", string(document.as_str()))
        .remove(&["releasingBy", "releasingUntil", "expiresAt"])
        .when("attribute_not_exists(#releasingBy) OR #releasingUntil <= :now")
        .value("now", number(now.as_millisecond()))
        .when(
            "attribute_not_exists(#refs) OR #guid = :guid \
             OR (attribute_not_exists(#guid) AND #refs = :own)",
        )
        .value("own", AttributeValue::Ss(vec![id.as_str().to_owned()]))
}

/// Returns whether transfers of another document use the key, according to its `item`. In that
/// case, the second condition of [`take_key`] fails.
///
/// Version 0.1.0 recorded no document with a key. A transfer may continue to use such a key if it
/// is the only user. Several users of such a key may belong to different documents, so the transfer
/// has to wait until the others have released the key.
pub(super) fn is_held_by_another(item: &Item, id: &TransferId, document: &ObjectGuid) -> bool {
    let Some(users) = item.get("refs").and_then(|users| users.as_ss().ok()) else { return false };
    match item.get("guid").and_then(|guid| guid.as_s().ok()) {
        Some(guid) => guid != document.as_str(),
        None => users.iter().any(|user| user != id.as_str()),
    }
}

/// Treats a failed condition as success; other failures stay errors.
pub(super) fn ignore_condition_failure(
    failure: WriteFailure<Option<Item>>,
) -> Result<(), StoreError> {
    failure.current_item().map(drop)
}
