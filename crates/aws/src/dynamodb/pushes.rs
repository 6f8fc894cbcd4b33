//! Records of pushes: requests to the document source to put a document into the exchange bucket.
//!
//! The source responds to a push with the *exchange key*, the name under which the object will
//! arrive. A push is *announced* before this response. After the response, it is *outstanding*
//! until its object is identified.
//!
//! | item | attribute | meaning |
//! |---|---|---|
//! | `P#pushes` / `{id}` | `guid`, `requestedAt`, `announcedAt` | an announced push |
//! | `K#{key}` | `outstanding` | the outstanding pushes of the key, as text |
//! | transfer | `knownKey` | the exchange key that the source returned last |
//! | transfer | `owedKeys` | *late-arrival keys*, under which an object may still arrive |
//!
//! If DynamoDB rejects a write because a condition does not hold, `WriteFailure::current_item`
//! returns the current item. For a transaction, it returns the result of each action. For any other
//! failure, it returns an error.

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{PushRecord, PushStore, StoreError, WriteError};
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{
    LateArrivalKey, OutstandingPush, PushedSource, Transfer, UNNAMED_PUSH_TIMEOUT,
};
use jiff::{SignedDuration, Timestamp};

use super::DynamoTransferStore;
use super::conditional_update::{ConditionalUpdate, number, string};
use super::exchange_keys::{
    MAX_WRITE_ATTEMPTS, ignore_condition_failure, is_held_by_another, take_key,
};
use super::guards::{by_execution, by_execution_in, contention_error, ensure_active};
use super::items::{attribute, corrupt, ttl};
use super::keys::{ANNOUNCEMENTS, Item, announcement_key, references_key, transfer_key};
use super::table::Table;
use super::write_failure::ConditionResult;

/// Time after which TTL removes an announcement that was not withdrawn.
const ANNOUNCEMENT_TTL_DELAY: SignedDuration = SignedDuration::from_hours(1);

/// Maximum number of announcements that are read. Each push in progress has one announcement.
const MAX_ANNOUNCEMENTS: usize = 1000;

/// Sort key that is not greater than that of any announcement. The sort keys are transfer ids,
/// which begin with a hexadecimal digit.
const BEFORE_ALL_IDS: &str = "0";
/// Sort key that is greater than that of every announcement.
const AFTER_ALL_IDS: &str = "g";

impl PushStore for DynamoTransferStore {
    /// Announces a push before the source is called.
    ///
    /// If an earlier try has announced a push, its `requestedAt` stays. If that announcement is
    /// younger than [`UNNAMED_PUSH_TIMEOUT`], the call changes nothing.
    async fn announce_push(
        &self,
        id: &TransferId,
        push: &OutstandingPush,
    ) -> Result<OutstandingPush, StoreError> {
        let stale_time = push.pushed_at - UNNAMED_PUSH_TIMEOUT;
        let announced = ConditionalUpdate::default()
            .set("guid", string(push.guid.as_str()))
            .set_once("requestedAt", number(push.requested_at.as_millisecond()))
            .set("announcedAt", number(push.pushed_at.as_millisecond()))
            .set("expiresAt", ttl(push.pushed_at + ANNOUNCEMENT_TTL_DELAY))
            .when("attribute_not_exists(#announcedAt) OR #announcedAt <= :stale")
            .value("stale", number(stale_time.as_millisecond()));
        match self.table.update(announcement_key(id), announced).await {
            Ok(item) => read_announcement(&item),
            Err(failure) => match failure.current_item()? {
                Some(item) => read_announcement(&item),
                None => Err(contention_error("announce_push")),
            },
        }
    }

    /// Deletes the announcement of a push after its exchange key has been recorded.
    async fn withdraw_announcement(&self, id: &TransferId) -> Result<(), StoreError> {
        match self.table.delete(announcement_key(id), ConditionalUpdate::default()).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.current_item(),
        }
    }

    /// Lists the announced pushes.
    async fn pushes_in_flight(&self) -> Result<Vec<OutstandingPush>, StoreError> {
        let items = self
            .table
            .range(ANNOUNCEMENTS.to_owned(), BEFORE_ALL_IDS, AFTER_ALL_IDS, MAX_ANNOUNCEMENTS)
            .await?;
        items.iter().map(read_announcement).collect()
    }

    /// Records the response to a push in the items of the transfer and of the exchange key, in one
    /// transaction.
    ///
    /// If another document uses the key, or its object is being deleted, the transfer does not
    /// become a user of the key. The call then records the push as outstanding, and the key as a
    /// late-arrival key.
    async fn record_push(
        &self,
        id: &TransferId,
        execution_number: u32,
        push: &OutstandingPush,
        source: &PushedSource,
    ) -> Result<PushRecord, WriteError> {
        let table = &self.table;
        let document = &push.guid;
        // The stored transfer. It is known only after a write has failed.
        let mut stored: Option<Transfer> = None;
        for _ in 0..MAX_WRITE_ATTEMPTS {
            let actions = [
                table.update_action(
                    transfer_key(id),
                    transfer_change(execution_number, source, stored.as_ref())?,
                )?,
                table.update_action(references_key(&source.key), key_change(id, push, source))?,
            ];
            let Err(failure) = table.transact(&actions).await else {
                return Ok(PushRecord::Recorded);
            };
            // The checks have the order of the actions: first the transfer, then the key.
            let mut checks = failure.current_item()?.into_iter();
            match (checks.next(), checks.next()) {
                (Some(ConditionResult::Failed(current)), _) => {
                    let transfer = ensure_active(current, execution_number)?;
                    if transfer.phase >= Phase::Uploading && !transfer.push_again {
                        return Ok(PushRecord::Recorded);
                    }
                    stored = Some(transfer);
                }
                (_, Some(ConditionResult::Failed(current))) => {
                    let rejection = match current {
                        Some(item) if is_held_by_another(&item, id, document) => {
                            PushRecord::HeldByAnother
                        }
                        _ => PushRecord::Releasing,
                    };
                    record_outstanding(table, push, &source.key).await?;
                    let (key, requested_at) = (source.key.clone(), source.requested_at);
                    add_late_arrival_key(
                        table,
                        id,
                        execution_number,
                        &LateArrivalKey { key, requested_at },
                        KnownKey::Replace,
                    )
                    .await?;
                    return Ok(rejection);
                }
                _ => break,
            }
        }
        Err(contention_error("record_push").into())
    }

    /// Records a late-arrival key.
    async fn record_late_arrival_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        late_key: &LateArrivalKey,
    ) -> Result<(), WriteError> {
        let table = &self.table;
        add_late_arrival_key(table, id, execution_number, late_key, KnownKey::Keep).await
    }
}

/// Returns the change of the transfer's item that records a push. `stored` is the stored transfer,
/// if it is known.
///
/// If the source has returned a new key, the former key becomes a late-arrival key. The change has
/// the condition that the transfer still has the former key. Without `stored`, it has the condition
/// that the transfer has no former key.
fn transfer_change(
    execution_number: u32,
    source: &PushedSource,
    stored: Option<&Transfer>,
) -> Result<ConditionalUpdate, StoreError> {
    let change = match stored {
        // Phases never go back: an upload that has lost its source object stays `Uploading`.
        Some(transfer) if transfer.push_again && transfer.phase == Phase::Uploading => {
            by_execution_in(execution_number, &[Phase::Uploading])
                .when("#pushAgain = :yes")
                .value("yes", AttributeValue::Bool(true))
        }
        _ => by_execution_in(
            execution_number,
            &[Phase::Accepted, Phase::Pushing, Phase::AwaitingArrival],
        )
        .set("phase", string(Phase::AwaitingArrival.as_str())),
    };
    let change = change
        .set("source", attribute(source)?)
        .set("knownKey", string(&source.key))
        .remove(&["pushAgain"]);
    let former = stored.and_then(|transfer| Some((transfer, &transfer.source.as_ref()?.key)));
    Ok(match former {
        Some((transfer, former_key)) if *former_key != source.key => {
            let late_keys = attribute(&transfer.keys_awaiting_arrival())?;
            change
                .when("#source.#key = :former")
                .value("former", string(former_key))
                .set("owedKeys", late_keys)
        }
        _ => change
            .when("attribute_not_exists(#source) OR #source.#key = :key")
            .value("key", string(&source.key)),
    })
}

/// Returns the change of the key's item that records a push. Its conditions are:
///
/// - The deletion lease of the key is free or over.
/// - No transfer of another document uses the key.
/// - The last deletion of the object was before the request of this push. Both times are by the
///   clock of the exchange bucket.
fn key_change(id: &TransferId, push: &OutstandingPush, source: &PushedSource) -> ConditionalUpdate {
    // While this transfer uses the key, the object cannot be deleted, so `releasedAt` is older.
    let released = "attribute_not_exists(#releasedAt) OR #releasedAt < :requestedAt \
                    OR contains(#refs, :id)";
    take_key(id, &push.guid, source.pushed_at)
        .add_member("outstanding", &push.to_string())
        .when(released)
        .value("requestedAt", number(source.requested_at.as_millisecond()))
        .value("id", string(id.as_str()))
}

/// Adds a push to the outstanding pushes of a key.
async fn record_outstanding(
    table: &Table,
    push: &OutstandingPush,
    key: &str,
) -> Result<(), StoreError> {
    let change = ConditionalUpdate::default().add_member("outstanding", &push.to_string());
    table.update(references_key(key), change).await.map(drop).or_else(ignore_condition_failure)
}

/// Whether a late-arrival key also becomes the known key of its transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnownKey {
    /// The late-arrival key becomes the known key, because the last push has returned it.
    Replace,
    /// The known key stays.
    Keep,
}

/// Adds a late-arrival key to the transfer, unless the transfer lists the key already.
async fn add_late_arrival_key(
    table: &Table,
    id: &TransferId,
    execution_number: u32,
    late_key: &LateArrivalKey,
    known_key: KnownKey,
) -> Result<(), WriteError> {
    let with_known_key = |change: ConditionalUpdate| match known_key {
        KnownKey::Replace => change.set("knownKey", string(&late_key.key)),
        KnownKey::Keep => change,
    };
    let mut new_keys = vec![late_key.clone()];
    let mut stored_keys: Option<Vec<LateArrivalKey>> = None;
    for _ in 0..MAX_WRITE_ATTEMPTS {
        let change =
            with_known_key(by_execution(execution_number)).set("owedKeys", attribute(&new_keys)?);
        let change = match &stored_keys {
            None => change.when("attribute_not_exists(#owedKeys)"),
            Some(keys) => change.when("#owedKeys = :before").value("before", attribute(keys)?),
        };
        let Err(failure) = table.update(transfer_key(id), change).await else { return Ok(()) };
        let stored = ensure_active(failure.current_item()?, execution_number)?.late_arrival_keys;
        new_keys.clone_from(&stored);
        if !stored.iter().any(|stored_key| stored_key.key == late_key.key) {
            new_keys.push(late_key.clone());
        }
        stored_keys = Some(stored).filter(|keys| !keys.is_empty());
    }
    Err(contention_error("record_late_arrival_key").into())
}

/// Parses the item of an announced push.
fn read_announcement(item: &Item) -> Result<OutstandingPush, StoreError> {
    let time = |name: &str| {
        let millis = item.get(name)?.as_n().ok()?.parse().ok()?;
        Timestamp::from_millisecond(millis).ok()
    };
    let guid = item.get("guid").and_then(|guid| guid.as_s().ok()?.parse().ok());
    let id = item.get("sk").and_then(|id| id.as_s().ok()?.parse().ok());
    match (time("requestedAt"), time("announcedAt"), id, guid) {
        (Some(requested_at), Some(pushed_at), Some(transfer_id), Some(guid)) => {
            Ok(OutstandingPush { requested_at, pushed_at, is_repeated: false, transfer_id, guid })
        }
        _ => Err(corrupt("announced push")),
    }
}
