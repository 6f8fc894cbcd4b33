//! Log and outbox of audit events in their own DynamoDB table. Some functions write events but only
//! read transfers, so they need no right to write to the table of transfers.
//!
//! An *audit event* is a record about a request, such as an issued URL. A *denial* is a refused
//! request for documents: they do not exist, or the person may not see them. All denials of one
//! person in one minute form one event.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `E#{id}` | `EVENT` | an event that was not sent yet |
//! | `D#{minute}#{actor}` | `DENIALS` | the denials of a person in one minute |
//!
//! | item | sent by | after it was sent |
//! |---|---|---|
//! | `EVENT` | the function `notify`, from the table's stream; later the sweeper | deleted |
//! | `DENIALS` | the *sweeper*, the background repair, after the minute | stays for a day |
//!
//! The index `unfinished` (`sweepShard`, `dueAt`) lists the items for the sweeper. Before denials
//! are sent, their item is *closed*: it counts no further denials. A closed item stays, so that a
//! late denial cannot create a second message with the same id.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{
    AuditLog, DENIALS_DELAY, EventKey, EventOutbox, OUTBOX_RESEND_DELAY, StoreError,
};
use docferry_domain::audit::{
    AuditAction, AuditEvent, Denial, DenialKey, MAX_DENIED_OF_RECORD, RequestOrigin,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::conditional_update::{ConditionalUpdate, number, string};
use super::items::{attribute, corrupt, ttl, whole_item};
use super::keys::{Item, key};
use super::table::Table;
use super::unfinished_index::{DUE, SHARD, indexed};
use super::write_failure::WriteFailure;
use crate::Fault;

/// Sort key of events. The filter of the table's stream uses this value.
const EVENT: &str = "EVENT";

/// Sort key of denials.
const DENIALS: &str = "DENIALS";

/// Prefix of the partition keys of events.
const EVENT_PREFIX: &str = "E#";

/// Prefix of the partition keys of denials.
const DENIALS_PREFIX: &str = "D#";

/// Shards of the index `unfinished`.
const SHARDS: [&str; 4] = ["E0", "E1", "E2", "E3"];

/// Maximum number of records that a denial is tried on. If the record of its minute is closed, the
/// record of the next minute counts the denial.
const MAX_MINUTES: u32 = 3;

/// Time for which sent denials are stored.
const DENIALS_RETENTION: SignedDuration = SignedDuration::from_hours(24);

/// Log of audit events in one DynamoDB table.
#[derive(Debug, Clone)]
pub struct DynamoAuditLog {
    table: Table,
}

impl DynamoAuditLog {
    /// Creates a log in `table`, whose primary key consists of the strings `pk` and `sk`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table.into()) }
    }
}

impl AuditLog for DynamoAuditLog {
    async fn record(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        let items = events.iter().map(event_item).collect::<Result<Vec<_>, _>>()?;
        match <[Item; 1]>::try_from(items) {
            Ok([item]) => match self.table.insert(item).await {
                Ok(()) | Err(WriteFailure::Condition(_)) => Ok(()),
                Err(failure) => failure.current_item().map(drop),
            },
            Err(items) if items.is_empty() => Ok(()),
            Err(items) => {
                let insert = |item| self.table.insert_action(item);
                let actions = items.into_iter().map(insert).collect::<Result<Vec<_>, _>>()?;
                match self.table.transact(&actions).await {
                    Ok(()) | Err(WriteFailure::Condition(_)) => Ok(()),
                    Err(failure) => failure.current_item().map(drop),
                }
            }
        }
    }

    async fn count_denial(&self, denial: &Denial) -> Result<(), StoreError> {
        const CALL: &str = "DynamoDB UpdateItem";
        let mut denial_key = DenialKey::at(denial.actor.clone(), denial.at);
        for _ in 0..MAX_MINUTES {
            let requested = AttributeValue::Ss(denial.requested.clone());
            let with_documents = count_change(&denial_key, denial)?
                .add_to("requested", requested)
                .when("attribute_not_exists(#requested) OR size(#requested) < :max")
                .value("max", number(MAX_DENIED_OF_RECORD));
            // If the record already has the maximum number of documents, the second change counts
            // the denial without its documents.
            for change in [with_documents, count_change(&denial_key, denial)?] {
                match self.table.update(denials_item_key(&denial_key), change).await {
                    Ok(_) => return Ok(()),
                    Err(failure) => failure.current_item().map(drop)?,
                }
            }
            // The record is closed, because it is being sent or was sent.
            denial_key = denial_key.next();
        }
        Err(StoreError::Unavailable(Box::new(Fault::new(CALL, "the denials are closed"))))
    }
}

/// Returns the change that counts a denial in a record. Its condition is that the record is not
/// closed.
fn count_change(denial_key: &DenialKey, denial: &Denial) -> Result<ConditionalUpdate, StoreError> {
    let due = denial_key.ends_at().saturating_add(DENIALS_DELAY).unwrap_or(denial.at);
    Ok(ConditionalUpdate::default()
        .increment("count")
        .set_once("actor", string(&denial_key.actor))
        .set_once("minute", number(denial_key.minute))
        .set_once("at", attribute(&denial.at)?)
        .set_once("origin", attribute(&denial.origin)?)
        .set_once(SHARD, string(shard(&denial_key.message_id())))
        .set_once(DUE, number(due.as_millisecond()))
        .when("attribute_not_exists(#closed)"))
}

impl EventOutbox for DynamoAuditLog {
    async fn unsent_event(&self, key: &EventKey) -> Result<Option<AuditEvent>, StoreError> {
        match key {
            EventKey::Event(id) => {
                let item = self.table.get(event_item_key(id)).await?;
                let read = |item| serde_dynamo::aws_sdk_dynamodb_1::from_item(item);
                item.map(read).transpose().map_err(|_| corrupt("audit event"))
            }
            EventKey::Denials(denial_key) => {
                let close = ConditionalUpdate::default()
                    .set("closed", AttributeValue::Bool(true))
                    .when("attribute_exists(#pk) AND attribute_not_exists(#sent)");
                match self.table.update(denials_item_key(denial_key), close).await {
                    Ok(item) => read_denials(denial_key, item).map(Some),
                    Err(failure) => failure.current_item().map(|_sent_record| None),
                }
            }
        }
    }

    async fn mark_event_sent(&self, key: &EventKey) -> Result<(), StoreError> {
        match key {
            EventKey::Event(id) => {
                let sent =
                    self.table.delete(event_item_key(id), ConditionalUpdate::default()).await;
                sent.or_else(|failure| failure.current_item())
            }
            EventKey::Denials(denial_key) => {
                let minute_end = denial_key.ends_at();
                let expires_at = minute_end.saturating_add(DENIALS_RETENTION).unwrap_or(minute_end);
                let sent = ConditionalUpdate::default()
                    .set("sent", AttributeValue::Bool(true))
                    .set("expiresAt", ttl(expires_at))
                    .remove(&[SHARD, DUE])
                    .when("attribute_exists(#closed)");
                let written = self.table.update(denials_item_key(denial_key), sent).await;
                written.map(drop).or_else(|failure| failure.current_item().map(drop))
            }
        }
    }

    async fn unsent_events(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<EventKey>, StoreError> {
        let due = |shard| self.table.due(shard, now.as_millisecond(), limit);
        let mut due_keys = futures::future::try_join_all(SHARDS.map(due)).await?.concat();
        due_keys.sort_by_key(|(due, _)| *due);
        Ok(due_keys.iter().filter_map(|(_, key)| parse_key(key)).take(limit).collect())
    }
}

fn event_item_key(id: &str) -> Item {
    key(format!("{EVENT_PREFIX}{id}"), EVENT)
}

fn denials_item_key(denial_key: &DenialKey) -> Item {
    key(format!("{DENIALS_PREFIX}{}#{}", denial_key.minute, denial_key.actor), DENIALS)
}

/// Parses the key of an index entry.
fn parse_key(item: &Item) -> Option<EventKey> {
    let partition = item.get("pk")?.as_s().ok()?;
    if let Some(id) = partition.strip_prefix(EVENT_PREFIX) {
        return Some(EventKey::Event(id.to_owned()));
    }
    let (minute, actor) = partition.strip_prefix(DENIALS_PREFIX)?.split_once('#')?;
    let minute = minute.parse().ok()?;
    Some(EventKey::Denials(DenialKey { actor: actor.to_owned(), minute }))
}

/// Chooses the shard of a record by its message id.
fn shard(message_id: &str) -> &'static str {
    let sum = message_id.bytes().fold(0_usize, |sum, byte| sum.wrapping_add(byte.into()));
    SHARDS[sum % SHARDS.len()]
}

fn event_item(event: &AuditEvent) -> Result<Item, StoreError> {
    let due = event.at.saturating_add(OUTBOX_RESEND_DELAY).unwrap_or(event.at);
    let item = whole_item(event, event_item_key(&event.id), "audit event")?;
    Ok(indexed(item, shard(&event.id), due))
}

/// Attributes of a record of denials.
#[derive(Debug, Deserialize)]
struct DenialsItem {
    at: Timestamp,
    origin: RequestOrigin,
    count: u64,
    #[serde(default)]
    requested: Vec<String>,
}

fn read_denials(denial_key: &DenialKey, item: Item) -> Result<AuditEvent, StoreError> {
    let DenialsItem { at, origin, count, requested } =
        serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("denials"))?;
    let action = AuditAction::AccessDenied;
    Ok(AuditEvent {
        origin: Some(origin),
        count: Some(count),
        requested,
        ..AuditEvent::new(denial_key.message_id(), action, denial_key.actor.clone(), at)
    })
}
