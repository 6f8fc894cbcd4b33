//! DynamoDB adapters: transfers, jobs and slots in one table; the document registry and the log of
//! audit events in tables of their own.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `T#{id}` | `META` | a transfer, serialized from `docferry_domain::transfer::Transfer` |
//! | `T#{id}` | `SESSION#0` | the sealed upload URL and the epoch that stored it |
//! | `T#{id}` | `BUNDLE`, `COUNTS` | a batch, and the counts of its ended documents |
//! | `T#{id}` | `DOC#{n}`, `SESSION#{n}` | a document of a batch, and its session |
//! | `T#{id}` | `NAME#{name}` | a file name and the document of the batch that has reserved it |
//! | `T#{id}` | `OUTBOX#{attempt}` | outbox: an outcome not yet sent to the audit queue |
//! | `T#{id}` | `NOTICE#{attempt}` | outbox: a webhook notification not yet sent to its queue |
//! | `S#{pool}` | `SLOTS` | the transfers that hold slots of a pool |
//! | `Q#{pool}` | `{order}#{id}` | a transfer that is queued for a slot |
//! | `K#{key}` | `REFS` | an exchange key: its document, users, pushes and deletion lease |
//! | `P#pushes` | `{id}` | an announced push whose exchange key is not known yet |
//! | `I#{hash}` | `REQUEST` | an idempotency record: the job that a request has created |
//! | `R#{caller}` | `{minute}` | the number of a caller's requests in a minute, for rate limiting |
//! | `A#{key}` | `ARTIFACT` | an object of the delivery bucket, and its retention |
//! | `D#{guid}` | `NEWEST` | the newest delivered object of a document, for its reuse |
//! | `B#{budget}` | `PAUSE` | a pause during which no transfer calls the drive |
//!
//! Every write is one request with a condition, which DynamoDB checks. If the condition fails, the
//! response contains the current item, and the store derives the reason from this item. A second
//! read could return a later state.
//!
//! The AWS SDK repeats a write whose response is lost. The repeated write then finds an item that
//! the first attempt has already changed. The conditions allow this case, so it is not an error.
//!
//! The *sweeper* is the background repair that runs every minute. The *outbox* items hold messages
//! that were not sent yet.
//!
//! `expiresAt` (seconds since 1970) is the table's TTL attribute. Two indexes contain only keys:
//! the index `unfinished` (`sweepShard`, `dueAt`) lists the items that the sweeper has to check,
//! and the index `jobs` (`jobOwner`, `jobOrder`) lists the jobs of each caller.

mod artifacts;
mod audit;
mod batch_get;
mod batches;
mod conditional_update;
mod creation;
mod ending;
mod exchange_keys;
mod guards;
mod history_index;
mod idempotency;
mod items;
mod jobs;
mod keys;
mod notifications;
mod outbox;
mod pushes;
mod quota;
mod recovery;
mod registry;
mod slots;
mod table;
mod throttle;
mod transfers;
mod unfinished_index;
mod uploads;
mod write_failure;

use aws_sdk_dynamodb::Client;

use table::Table;

pub use audit::DynamoAuditLog;
pub use quota::DynamoQuota;
pub use registry::{DynamoNumberIndex, DynamoRegistry, NumberedDocument};
pub use throttle::DynamoThrottleBudget;

/// Store of transfers, jobs and slots in one DynamoDB table. Each port of the store has a module of
/// the same name, which implements the port.
#[derive(Debug, Clone)]
pub struct DynamoTransferStore {
    table: Table,
}

impl DynamoTransferStore {
    /// Creates a store in `table`, whose primary key consists of the strings `pk` and `sk`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table.into()) }
    }
}
